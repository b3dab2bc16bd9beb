import type { BigIntStats } from "node:fs";
import { type FileHandle, statfs } from "node:fs/promises";
import { CliError } from "../failure.ts";
import { hasCode, hostFailure } from "./host-failure.ts";
import type { Extent } from "./tar/header.ts";

/** So much of every file is read before anything is said of its size: what ends within has exactly that. */
const headBytes = 64 * 1024;
/** Files whose size says nothing are read whole before they are sent. */
const unsizedLimitBytes = 32 * 1024 * 1024;
const chunkBytes = 256 * 1024;
/** What is looked for in files with holes; smaller holes are sent as zeros. */
const holeBytes = 64 * 1024;
/** Readers take 1 MiB of a map of holes. */
const mostExtents = 30_000;

export interface HostContent {
  /** Holes included. */
  readonly sizeBytes: number;
  readonly data?: readonly Extent[];
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * What a file holds, and how much that is. Its size alone does not tell: those of /proc say 0, those of /sys 4096. The chunks fail if the
 * file becomes shorter meanwhile; what it becomes longer is not sent. The caller closes it.
 */
export async function hostContent(file: FileHandle, stat: BigIntStats, path: string): Promise<HostContent> {
  const isVirtual = await liesOnVirtual(file);
  const size = Number(stat.size);
  const data = isVirtual ? undefined : await findData(file, stat, path);
  if (data !== undefined) return { sizeBytes: size, data, chunks: extentsOf(file, data, path) };
  const head = await readUpTo(file, headBytes, 0, path);
  if (head.length < headBytes) return { sizeBytes: head.length, chunks: one(head) };
  if (!isVirtual && size > headBytes) {
    const rest = [{ offset: headBytes, length: size - headBytes }];
    return { sizeBytes: size, chunks: chained(head, extentsOf(file, rest, path)) };
  }
  if (!isVirtual && size > 0 && Number((await file.stat()).size) >= headBytes) {
    return { sizeBytes: size, chunks: one(head.subarray(0, size)) };
  }
  const rest = await readUpTo(file, unsizedLimitBytes - headBytes + 1, headBytes, path);
  if (head.length + rest.length > unsizedLimitBytes) {
    throw new CliError("HOST_FILE", `${path}: it has more than 32 MiB, and no size that says how much`);
  }
  return { sizeBytes: head.length + rest.length, chunks: chained(head, one(rest)) };
}

/** By the numbers that statfs(2) gives them: proc, sysfs, configfs, debugfs, tracefs, securityfs, cgroup2, cgroup, selinuxfs, pstore, efivarfs. */
const virtualFileSystems = new Set([
  0x9fa0, 0x62656572, 0x62656570, 0x64626720, 0x74726163, 0x73636673, 0x63677270, 0x27e0eb, 0xf97cff8c, 0x6165676c,
  0xde5e81e4,
]);

async function liesOnVirtual(file: FileHandle): Promise<boolean> {
  const { type } = await statfs(`/proc/self/fd/${file.fd}`).catch(() => ({ type: 0 }));
  return virtualFileSystems.has(type);
}

/** Less than `bytes` only at the end of the file. */
async function readUpTo(file: FileHandle, bytes: number, from: number, path: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  while (length < bytes) {
    const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, bytes - length));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from + length).catch((error: unknown) => {
      // It was opened so that it doesn't wait.
      if (hasCode(error, "EAGAIN"))
        throw new CliError("HOST_FILE", `${path}: reading it waits for something to happen`);
      throw hostFailure(error, path);
    });
    if (bytesRead === 0) break;
    pieces.push(buffer.subarray(0, bytesRead));
    length += bytesRead;
  }
  return Buffer.concat(pieces);
}

async function* extentsOf(file: FileHandle, data: readonly Extent[], path: string): AsyncGenerator<Uint8Array> {
  for (const { offset, length } of data) {
    for (let done = 0; done < length; done += chunkBytes) {
      const wanted = Math.min(chunkBytes, length - done);
      const piece = await readUpTo(file, wanted, offset + done, path);
      if (piece.length < wanted) throw new CliError("HOST_FILE", `${path} became shorter while it was copied`);
      yield piece;
    }
  }
}

const zeros = Buffer.alloc(holeBytes);

/** Where a file has data; `undefined` if it has no holes to speak of. Node can't ask for them, so they are looked for where there must be some. */
async function findData(file: FileHandle, stat: BigIntStats, path: string): Promise<Extent[] | undefined> {
  const size = Number(stat.size);
  if (size < 2 * holeBytes || Number(stat.blocks) * 512 > size - holeBytes) return undefined;
  const found: { offset: number; length: number }[] = [];
  const buffer = Buffer.allocUnsafe(16 * holeBytes);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - at), at).catch((error: unknown) => {
      throw hostFailure(error, path);
    });
    if (bytesRead === 0) return undefined;
    for (let from = 0; from < bytesRead; from += holeBytes) {
      const to = Math.min(bytesRead, from + holeBytes);
      if (zeros.compare(buffer, from, to, 0, to - from) === 0) continue;
      const last = found.at(-1);
      if (last !== undefined && last.offset + last.length === at + from) last.length += to - from;
      else found.push({ offset: at + from, length: to - from });
    }
    if (found.length > mostExtents) return undefined;
    at += bytesRead;
  }
  return found;
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

async function* chained(head: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head;
  yield* rest;
}
