import type { Readable, Writable } from "node:stream";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { McpSession, type SessionOptions } from "./session.ts";

export interface StdioOptions extends SessionOptions {
  /** Aborted, the session ends. */
  readonly signal: AbortSignal;
  readonly stdin?: Readable;
  readonly stdout?: Writable;
}

/** One session over standard input and output; resolves when it has ended, and what it leaves is cleaned up. */
export async function serveStdio({ signal, stdin, stdout, ...options }: StdioOptions): Promise<void> {
  const [input, output] = [stdin ?? process.stdin, stdout ?? process.stdout];
  const session = new McpSession(options);
  const ended = Promise.withResolvers<void>();
  const end = () => ended.resolve();
  input.once("end", end).once("close", end);
  // A client that has gone reads no further.
  output.once("error", end);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  await session.connect(new StdioServerTransport(input, output));
  try {
    await Promise.race([ended.promise, session.closed]);
  } finally {
    signal.removeEventListener("abort", end);
    input.off("end", end).off("close", end);
    output.off("error", end).on("error", () => undefined);
    await session.close();
  }
}
