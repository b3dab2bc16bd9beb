import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { type ByteString, bytesOfText } from "./bytes.ts";
import { HostDirectory } from "./host-directory.ts";
import { hasCode, hostFailure } from "./host-failure.ts";
import { nodeTime, setExactTimes } from "./host-times.ts";
import type { Extent } from "./tar/header.ts";

export type HostKind = "directory" | "file" | "other" | "nothing";

/** Symlinks are followed. */
export async function hostKind(path: string): Promise<HostKind> {
  const found = await stat(path).catch((error: unknown) => {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw hostFailure(error);
  });
  if (found === undefined) return "nothing";
  if (found.isDirectory()) return "directory";
  return found.isFile() ? "file" : "other";
}

export interface Attributes {
  /** Permission bits; those for setuid and its like are not set. */
  readonly mode: number;
  readonly mtimeNs: bigint;
}

export interface FileFields extends Attributes {
  /** Holes included. */
  readonly sizeBytes: number;
  /** Where there is data, in a file with holes: the chunks are those pieces. */
  readonly data?: readonly Extent[];
}

/** Writes a file at a path that the user named; a device or pipe there is written into. */
export async function writeHostFile(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  fields: FileFields,
): Promise<void> {
  if ((await hostKind(path)) === "other") {
    await using file = await open(path, "w").catch((error: unknown) => {
      throw hostFailure(error);
    });
    for await (const chunk of chunks) await writeAll(file, chunk, null, path);
    return;
  }
  await using directory = await HostDirectory.open(dirname(path));
  await placeFileExactly(directory, bytesOfText(basename(path)), chunks, fields);
}

/** placeFile for a single file, whose time is right to the nanosecond. */
export async function placeFileExactly(
  directory: HostDirectory,
  name: ByteString,
  chunks: AsyncIterable<Uint8Array>,
  fields: FileFields,
): Promise<void> {
  await placeFile(directory, name, chunks, fields);
  await setExactTimes(directory, new Map([["", [{ name, mtimeNs: fields.mtimeNs }]]]));
}

/**
 * Writes a file beside its place and renames it there when complete; a symlink in that place is replaced. Times are right to the
 * microsecond: see setExactTimes.
 */
export async function placeFile(
  directory: HostDirectory,
  name: ByteString,
  chunks: AsyncIterable<Uint8Array>,
  { mode, mtimeNs, sizeBytes, data }: FileFields,
): Promise<void> {
  const temporary = temporaryFor(name);
  const path = directory.below(name);
  try {
    const { O_CREAT, O_EXCL, O_WRONLY } = constants;
    await using file = await directory.openFile(temporary, O_CREAT | O_EXCL | O_WRONLY, 0o600);
    if (data === undefined) for await (const chunk of chunks) await writeAll(file, chunk, null, path);
    else await writeWithHoles(file, chunks, data, sizeBytes, path);
    await file.chmod(mode & 0o777).catch((error: unknown) => rethrow(error, path));
    await file.utimes(nodeTime(mtimeNs), nodeTime(mtimeNs)).catch((error: unknown) => rethrow(error, path));
    await rename(directory.at(temporary), directory.at(name)).catch((error: unknown) => rethrow(error, path));
  } catch (error) {
    await rm(directory.at(temporary), { force: true });
    throw error;
  }
}

/** A name that nothing has. */
export function temporaryFor(name: ByteString): ByteString {
  return `.${name.slice(0, 60)}.${randomBytes(6).toString("hex")}`;
}

async function writeWithHoles(
  file: FileHandle,
  chunks: AsyncIterable<Uint8Array>,
  data: readonly Extent[],
  sizeBytes: number,
  path: string,
): Promise<void> {
  await file.truncate(sizeBytes).catch((error: unknown) => rethrow(error, path));
  const extents = data[Symbol.iterator]();
  let at = 0;
  let left = 0;
  for await (const chunk of chunks) {
    for (let done = 0; done < chunk.length; ) {
      if (left === 0) ({ offset: at, length: left } = extents.next().value ?? { offset: at, length: chunk.length });
      const piece = chunk.subarray(done, done + left);
      await writeAll(file, piece, at, path);
      at += piece.length;
      left -= piece.length;
      done += piece.length;
    }
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array, at: number | null, path: string): Promise<void> {
  let written = 0;
  while (written < chunk.length) {
    const position = at === null ? null : at + written;
    const { bytesWritten } = await file
      .write(chunk, written, chunk.length - written, position)
      .catch((error: unknown) => rethrow(error, path));
    written += bytesWritten;
  }
}

function rethrow(error: unknown, path: string): never {
  throw hostFailure(error, path);
}
