import { randomBytes } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";

/** Content that waits on disk until it is known where it goes. */
export interface Spool extends AsyncDisposable {
  read(): Readable;
}

/** Writes all of `content` to a file that has no name any more: whatever happens, nothing of it stays. */
export async function spool(content: Readable, directory: string): Promise<Spool> {
  const path = join(directory, `upload-${randomBytes(8).toString("hex")}`);
  const file = await open(path, "wx+", 0o600);
  try {
    await unlink(path);
    for await (const chunk of content) await file.appendFile(chunk);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    read: () => Readable.from(chunks(file), { objectMode: false }),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function* chunks(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ; ) {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafe(64 * 1024), position });
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
