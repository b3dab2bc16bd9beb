import { createZstdDecompress, type ZstdDecompress } from "node:zlib";

/** Whether bytes begin as zstd does: with a frame of content, or with one that readers skip. */
export function isZstd(start: Buffer): boolean {
  if (start.length < 4) return false;
  const magic = start.readUInt32LE(0);
  return magic === 0xfd2fb528 || (magic & 0xfffffff0) >>> 0 === 0x184d2a50;
}

/**
 * Unpacks zstd in any number of frames. Node's own stream (24) ends with the first, and says nothing of what it has left: images whose
 * layers can be fetched in parts have one frame for each part. Throws an Error if the last frame is cut off, or what follows is none.
 */
export async function* unzstd(source: AsyncIterable<Buffer>, options: { readonly chunkBytes: number }) {
  // One that is destroyed in the middle of its work may still have something to say, when nobody waits for it any more.
  const open = () => createZstdDecompress({ chunkSize: options.chunkBytes }).on("error", () => undefined);
  let decoder = open();
  try {
    for await (const chunk of source) {
      let rest = chunk;
      while (rest.length > 0) {
        const before = decoder.bytesWritten;
        yield* pass(decoder, (done) => decoder.write(rest, done));
        const taken = decoder.bytesWritten - before;
        if (taken === 0) throw new Error("zstd: it has stopped in the middle");
        rest = rest.subarray(taken);
        if (rest.length === 0) break;
        decoder.destroy();
        decoder = open();
      }
    }
    // Its input is finished before what it still has to say is out.
    yield* pass(decoder, (done) => decoder.once("end", () => done()).end());
  } finally {
    decoder.destroy();
  }
}

/** What comes out of the decoder until what goes in is used up. It takes no more than it has room for, and so is read meanwhile. */
async function* pass(decoder: ZstdDecompress, put: (done: (error?: Error | null) => void) => void) {
  let isDone = false;
  let failure: Error | undefined;
  let wake: () => void = () => undefined;
  const settle = (error?: Error | null) => {
    isDone = true;
    failure ??= error ?? undefined;
    wake();
  };
  const ready = () => wake();
  decoder.on("readable", ready).on("error", settle);
  try {
    put(settle);
    for (;;) {
      for (let piece: Buffer | null = decoder.read(); piece !== null; piece = decoder.read()) yield piece;
      if (failure !== undefined) throw failure;
      if (isDone) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
        // It may have settled before anybody waited.
        if (isDone || decoder.readableLength > 0) resolve();
      });
    }
  } finally {
    decoder.off("readable", ready).off("error", settle);
  }
}
