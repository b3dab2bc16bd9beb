import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { isZstd, unzstd } from "@boxrun/host";
import { extract, type Header } from "tar-stream";

const chunkBytes = 256 * 1024;

export interface TarFileEntry {
  readonly header: Header;
  readonly content: Readable;
}

/** The file is not a tar, or damaged. */
export class NotATarError extends Error {}

/**
 * The entries of a tar file, one after the other; gzip and zstd around it are taken off. `visit` may read an entry's content; what it
 * leaves is skipped. NotATarError.
 */
export async function readTar(
  file: string,
  signal: AbortSignal,
  visit: (entry: TarFileEntry) => Promise<void>,
): Promise<void> {
  const tar = extract();
  const source = createReadStream(file, { highWaterMark: chunkBytes });
  const start = await firstBytes(file);
  const reading = isGzip(start)
    ? pipeline(source, createGunzip(), tar, { signal })
    : isZstd(start)
      ? pipeline(source, (packed) => unzstd(packed, { chunkBytes }), tar, { signal })
      : pipeline(source, tar, { signal });
  reading.catch(() => undefined);
  let visiting = false;
  try {
    for await (const entry of tar) {
      visiting = true;
      await visit({ header: entry.header, content: Readable.from(entry) });
      visiting = false;
      entry.resume();
    }
    await reading;
  } catch (error) {
    tar.destroy();
    signal.throwIfAborted();
    if (visiting) throw error;
    throw new NotATarError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function firstBytes(file: string): Promise<Buffer> {
  await using handle = await open(file, "r");
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
  return buffer.subarray(0, bytesRead);
}

function isGzip(start: Buffer): boolean {
  return start.length >= 2 && start.readUInt16BE(0) === 0x1f8b;
}
