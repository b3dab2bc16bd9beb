import { BoxRunError, type CreateBoxRequest } from "@boxrun/contract";
import type { EngineDescription } from "../ports/engine.ts";
import type { HostRoom } from "./resources.ts";

/** What a box needs to come up and write something, in bytes: disks grow as they are written. */
const leastFreeBytes = 256 * 1024 * 1024;

export interface BoxDisks {
  /** Free where they are, in bytes. */
  free(): Promise<number>;
  /** What those of these boxes have taken of the host's, in bytes. */
  written(boxIds: readonly string[]): Promise<number>;
}

interface Host {
  readonly engine: { readonly name: string; describe(): Promise<EngineDescription> };
  readonly boxDisks: BoxDisks;
}

/** What there is for a box to come up in, beside the boxes that hold something of it. */
export async function lookForRoom({ engine, boxDisks }: Host, holders: readonly string[]): Promise<HostRoom> {
  const [{ ownMemoryMb = 0 }, freeDiskBytes, writtenDiskBytes] = await Promise.all([
    engine.describe(),
    boxDisks.free(),
    boxDisks.written(holders),
  ]);
  return { ownMemoryMb, freeDiskBytes, writtenDiskBytes };
}

/** Refuses a box that could not come up, before there is one. VALIDATION_ERROR, RESOURCE_EXCEEDED. */
export async function checkRoom(request: CreateBoxRequest, { engine, boxDisks }: Host): Promise<void> {
  const { leastMemoryMb } = await engine.describe();
  if (leastMemoryMb !== undefined && request.memory_mb < leastMemoryMb) {
    throw new BoxRunError(
      "VALIDATION_ERROR",
      `memory_mb: ${request.memory_mb} MB is too little: a box of the ${engine.name} engine needs at least ${leastMemoryMb} MB`,
      { details: { resource: "memory_mb", wanted: request.memory_mb, least: leastMemoryMb } },
    );
  }
  await requireFreeDisk(boxDisks, "a new box");
}

/** RESOURCE_EXCEEDED unless there is room for so much, and some to go on with. */
export async function requireFreeDisk(boxDisks: BoxDisks, what: string, bytes = 0): Promise<void> {
  const free = await boxDisks.free();
  const least = leastFreeBytes + bytes;
  if (free < least) {
    throw new BoxRunError(
      "RESOURCE_EXCEEDED",
      `The server's disk has ${megabytes(free)} MB free, and ${what} needs at least ${megabytes(least)} MB. ` +
        "`boxrun df` shows what takes how much; `boxrun gc` and `boxrun images rm` make room.",
      { details: { resource: "disk", free_bytes: free, least_bytes: least } },
    );
  }
}

function megabytes(bytes: number): number {
  return Math.floor(bytes / (1024 * 1024));
}
