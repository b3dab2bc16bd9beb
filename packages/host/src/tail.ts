import type { Readable } from "node:stream";

/** Reads a stream to its end and keeps only its last bytes, so that nothing another process writes can fill the memory. */
export function keepTail(stream: Readable, limitBytes: number): { text(): string } {
  let chunks: Buffer[] = [];
  let length = 0;
  stream.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > 2 * limitBytes) {
      chunks = [Buffer.concat(chunks).subarray(-limitBytes)];
      length = limitBytes;
    }
  });
  stream.on("error", () => undefined);
  return { text: () => Buffer.concat(chunks).subarray(-limitBytes).toString("utf8").trim() };
}
