import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { type Descriptor, mediaTypes } from "./schemas.ts";
import { blobDir, blobFile } from "./write-layout.ts";

/** Compresses a tar into a layout's blobs. The same bytes give the same digest. */
export async function writeLayer(
  layoutDir: string,
  tar: AsyncIterable<unknown>,
  options: { readonly level: number; readonly signal?: AbortSignal },
): Promise<{ layer: Descriptor; diffId: string }> {
  await mkdir(blobDir(layoutDir), { recursive: true });
  const scratch = join(layoutDir, `layer-${randomUUID()}.tmp`);
  const plain = createHash("sha256");
  const stored = createHash("sha256");
  let size = 0;
  const count = async function* (chunks: AsyncIterable<unknown>) {
    for await (const chunk of chunks) {
      if (!Buffer.isBuffer(chunk)) throw new TypeError("a tar stream must give bytes");
      plain.update(chunk);
      yield chunk;
    }
  };
  const countStored = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      stored.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  };
  try {
    const target = createWriteStream(scratch);
    await pipeline(
      count(tar),
      createGzip({ level: options.level }),
      countStored,
      target,
      options.signal ? { signal: options.signal } : {},
    );
    const digest = `sha256:${stored.digest("hex")}`;
    await rename(scratch, blobFile(layoutDir, digest));
    return { layer: { mediaType: mediaTypes.layerGzip, digest, size }, diffId: `sha256:${plain.digest("hex")}` };
  } finally {
    await rm(scratch, { force: true });
  }
}
