import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { extract, type Header } from "tar-stream";

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
  const source = createReadStream(file, { highWaterMark: 256 * 1024 });
  const decompress = await decompressor(file);
  const reading =
    decompress === undefined ? pipeline(source, tar, { signal }) : pipeline(source, decompress, tar, { signal });
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

async function decompressor(file: string) {
  await using handle = await open(file, "r");
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
  if (bytesRead < 4) return undefined;
  if (buffer.readUInt16BE(0) === 0x1f8b) return createGunzip();
  if (buffer.readUInt32LE(0) === 0xfd2fb528) return createZstdDecompress();
  return undefined;
}
