import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Transform, type TransformCallback } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { isZstd, unzstd } from "@boxrun/host/zstd";

export interface Layer {
  readonly digest: string;
  /** Bytes as stored. */
  readonly size: number;
  readonly file: string;
}

const chunkBytes = 256 * 1024;

/**
 * Reads a layer's tar, unpacked, chunk by chunk, and checks the stored bytes against the layer's size and digest, so that a blob that
 * rotted or was cut on the disk is not taken for an image. Compression is told by the first bytes, as container runtimes do, not by
 * the media type.
 */
export async function readLayer(layer: Layer, onChunk: (chunk: Buffer) => Promise<void> | undefined): Promise<void> {
  const hash = createHash("sha256");
  let size = 0;
  const check = new Transform({
    readableHighWaterMark: 2 * chunkBytes,
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
    flush(done: TransformCallback) {
      if (size !== layer.size) done(new Error(`the blob has ${size} bytes where the manifest says ${layer.size}`));
      else if (`sha256:${hash.digest("hex")}` !== layer.digest)
        done(new Error("the blob's content does not match its digest"));
      else done();
    },
  });
  const source = createReadStream(layer.file, { highWaterMark: chunkBytes });
  const consume = async (unpacked: AsyncIterable<Buffer>) => {
    for await (const chunk of unpacked) await onChunk(chunk);
  };
  const start = await firstBytes(layer.file);
  if (isGzip(start)) await pipeline(source, check, createGunzip({ chunkSize: chunkBytes }), consume);
  else if (isZstd(start)) await pipeline(source, check, (packed) => unzstd(packed, { chunkBytes }), consume);
  else {
    const other = otherCompression(start);
    if (other !== undefined)
      throw new Error(`it is compressed with ${other}; layers come as they are, with gzip or with zstd`);
    await pipeline(source, check, consume);
  }
}

async function firstBytes(file: string): Promise<Buffer> {
  for await (const chunk of createReadStream(file, { end: 5 })) return chunk;
  return Buffer.alloc(0);
}

function isGzip(start: Buffer): boolean {
  return start.length >= 2 && start.readUInt16BE(0) === 0x1f8b;
}

/** What the specification does not know, and some tools make all the same. */
function otherCompression(start: Buffer): string | undefined {
  const hex = start.toString("hex");
  if (hex.startsWith("425a68")) return "bzip2";
  if (hex.startsWith("fd377a585a00")) return "xz";
  return undefined;
}
