import type { ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { releaseMemory } from "@boxrun/core";
import type { FastifyReply } from "fastify";
import { writeHead } from "./write-head.ts";

export interface ContentOptions {
  /** What is announced, in bytes, where it is known. Rather than send another length, which a caller would take for the next answer, it breaks off. */
  readonly size: number | undefined;
  /** Besides those that the reply has. */
  readonly headers: Readonly<Record<string, string>>;
  /** It broke off in the middle, as the caller sees. */
  readonly onError: (error: unknown) => void;
}

/**
 * Answers with bytes, and gives the memory of each piece back once the socket has it: the pieces are nobody else's. Rejects with nothing sent if there is no first one; resolves when all are sent,
 * or the caller is gone.
 */
export async function sendContent(reply: FastifyReply, content: Readable, options: ContentOptions): Promise<void> {
  const { size, headers, onError } = options;
  const response = reply.raw;
  const pieces = size === undefined ? content.iterator() : exactly(content, size);
  let next: IteratorResult<Buffer> = await pieces.next();
  reply.hijack();
  writeHead(reply, { ...headers, ...(size !== undefined && { "content-length": size }) });
  // Where the caller has gone, which a write may meet before anything else tells.
  response.on("error", () => undefined);
  const gone = new Promise<void>((resolve) => response.once("close", () => resolve()));
  try {
    // While one is on its way, the next is fetched.
    let underWay: Promise<void> = Promise.resolve();
    while (next.done !== true && !response.destroyed) {
      underWay = Promise.race([sent(response, next.value), gone]);
      next = await pieces.next();
      await underWay;
    }
    response.end();
  } catch (error) {
    if (!response.destroyed) onError(error);
    response.destroy();
  } finally {
    await pieces.return?.();
  }
}

/** Resolves when the socket has taken it, or never will. */
function sent(response: ServerResponse, piece: Buffer): Promise<void> {
  return new Promise((resolve) => {
    response.write(piece, () => {
      releaseMemory(piece);
      resolve();
    });
  });
}

async function* exactly(content: Readable, bytes: number): AsyncGenerator<Buffer, void, void> {
  let left = bytes;
  for await (const piece of content) {
    left -= piece.length;
    if (left < 0) throw new Error(`the box sent more than the ${bytes} bytes that it announced`);
    yield piece;
  }
  if (left > 0) throw new Error(`the box sent ${left} bytes less than the ${bytes} that it announced`);
}
