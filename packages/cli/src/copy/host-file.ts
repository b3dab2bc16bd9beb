import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CliError } from "../failure.ts";
import type { PackedFile } from "./pack.ts";

export async function hostKind(path: string): Promise<"directory" | "file" | "other" | "nothing"> {
  const found = await stat(path).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw hostFailure(error);
  });
  if (found === undefined) return "nothing";
  if (found.isDirectory()) return "directory";
  return found.isFile() ? "file" : "other";
}

export async function openHostFile(path: string, name: string): Promise<PackedFile> {
  try {
    const { size, mode, mtime } = await stat(path);
    // No further than the size that the tar's header says.
    const content = size === 0 ? noBytes() : createReadStream(path, { end: size - 1 });
    return { name, sizeBytes: size, mode: mode & 0o777, mtime, content };
  } catch (error) {
    throw hostFailure(error);
  }
}

async function* noBytes(): AsyncGenerator<Uint8Array> {}

/** Writes a file beside `path` and renames it into place when complete; what is there and no regular file is written into. */
export async function writeHostFile(path: string, chunks: AsyncIterable<Uint8Array>, mode: number): Promise<void> {
  if ((await hostKind(path)) === "other") {
    await writeAll(path, "w", chunks);
    return;
  }
  const temporary = join(dirname(resolve(path)), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
  try {
    await writeAll(temporary, "wx", chunks);
    await chmod(temporary, mode & 0o777).catch(rethrow);
    await rename(temporary, path).catch(rethrow);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

export async function makeHostDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch(rethrow);
}

async function writeAll(path: string, flags: "w" | "wx", chunks: AsyncIterable<Uint8Array>): Promise<void> {
  await using file = await open(path, flags, 0o600).catch(rethrow);
  for await (const chunk of chunks) {
    let written = 0;
    while (written < chunk.length) written += (await file.write(chunk, written).catch(rethrow)).bytesWritten;
  }
}

function rethrow(error: unknown): never {
  throw hostFailure(error);
}

function hostFailure(error: unknown): CliError {
  return new CliError("HOST_FILE", error instanceof Error ? error.message : String(error));
}
