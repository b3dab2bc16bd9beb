import { BoxRunError, type CreateBoxRequest } from "@boxrun/contract";
import type { EngineDescription } from "../ports/engine.ts";

/** What a box needs to come up and write something, in bytes: disks grow as they are written. */
const leastFreeBytes = 256 * 1024 * 1024;

interface Host {
  readonly engine: { readonly name: string; describe(): Promise<EngineDescription> };
  /** Free where the boxes' disks are, in bytes. */
  readonly freeDiskBytes: () => Promise<number>;
}

/** Refuses a box that could not come up, before there is one. VALIDATION_ERROR, RESOURCE_EXCEEDED. */
export async function checkRoom(request: CreateBoxRequest, { engine, freeDiskBytes }: Host): Promise<void> {
  const { leastMemoryMb } = await engine.describe();
  if (leastMemoryMb !== undefined && request.memory_mb < leastMemoryMb) {
    throw new BoxRunError(
      "VALIDATION_ERROR",
      `memory_mb: ${request.memory_mb} MB is too little: a box of the ${engine.name} engine needs at least ${leastMemoryMb} MB`,
      { details: { resource: "memory_mb", wanted: request.memory_mb, least: leastMemoryMb } },
    );
  }
  const free = await freeDiskBytes();
  if (free < leastFreeBytes) {
    throw new BoxRunError(
      "RESOURCE_EXCEEDED",
      `The server's disk has ${megabytes(free)} MB free, and a new box needs at least ${megabytes(leastFreeBytes)} MB. ` +
        "`boxrun df` shows what takes how much; `boxrun gc` and `boxrun images rm` make room.",
      { details: { resource: "disk", free_bytes: free, least_bytes: leastFreeBytes } },
    );
  }
}

function megabytes(bytes: number): number {
  return Math.floor(bytes / (1024 * 1024));
}
