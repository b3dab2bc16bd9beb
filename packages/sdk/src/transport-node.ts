import { Agent, fetch } from "undici";
import type { Transport, TransportOptions } from "./transport.ts";

/**
 * undici rather than Node's own fetch: that one can neither use a Unix socket nor wait longer than 5 minutes for an answer, which a
 * `run` or a pull may well take. Who wants a deadline passes a signal.
 */
export function openTransport({ socketPath }: TransportOptions): Transport {
  const dispatcher = new Agent({
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: 10_000, ...(socketPath === undefined ? {} : { socketPath }) },
  });
  return {
    fetch: (url, init) => fetch(url, { ...init, dispatcher }),
    close: () => dispatcher.close(),
  };
}
