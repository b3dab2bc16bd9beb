import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, mkdir, open, rename, rm, stat, utimes } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CliError } from "../failure.ts";

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

/** No further than the size that the tar's header says. */
export async function* readFileBytes(path: string, size: number): AsyncGenerator<Uint8Array> {
  if (size === 0) return;
  try {
    yield* createReadStream(path, { end: size - 1, highWaterMark: 256 * 1024 });
  } catch (error) {
    throw hostFailure(error);
  }
}

/** Writes a file beside `path` and renames it into place when complete; what is there and no regular file is written into. */
export async function writeHostFile(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  { mode, mtime }: { readonly mode: number; readonly mtime: Date },
): Promise<void> {
  if ((await hostKind(path)) === "other") {
    await writeAll(path, "w", chunks);
    return;
  }
  const temporary = temporaryBeside(path);
  try {
    await writeAll(temporary, "wx", chunks);
    await setHostAttributes(temporary, { mode, mtime });
    await rename(temporary, path).catch(rethrow);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** A name in the same directory that nothing has. */
export function temporaryBeside(path: string): string {
  const beginning = basename(path).slice(0, 60);
  return join(dirname(resolve(path)), `.${beginning}.${randomBytes(6).toString("hex")}`);
}

export async function makeHostDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch(rethrow);
}

export async function setHostAttributes(
  path: string,
  { mode, mtime }: { readonly mode: number; readonly mtime: Date },
) {
  await chmod(path, mode & 0o777).catch(rethrow);
  await utimes(path, mtime, mtime).catch(rethrow);
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

export function hostFailure(error: unknown): CliError {
  return new CliError("HOST_FILE", error instanceof Error ? error.message : String(error));
}
