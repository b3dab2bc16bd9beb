import { setImmediate as nextTurn } from "node:timers/promises";
import type { Turns } from "@boxrun/core";
import type { FastifyReply } from "fastify";
import type { Lifetime } from "./lifetime.ts";
import type { SendBudget } from "./send-budget.ts";
import { writeHead } from "./write-head.ts";

/** One server-sent event; `data` is sent as JSON. */
export interface SseEvent {
  readonly event: string;
  readonly id?: number;
  readonly data: unknown;
}

/** Events that are sent in one go. Ends early when `signal` aborts. */
export type SseSource = (signal: AbortSignal) => AsyncIterable<readonly SseEvent[]>;

/** What all streams of a server share. */
export interface SharedSending {
  readonly turns: Turns;
  readonly budget: SendBudget;
}

export interface SseOptions {
  readonly lifetime: Lifetime;
  readonly readers: { inc(): void; dec(): void };
  readonly heartbeatMs: number;
  readonly sending: SharedSending;
  /** Something broke in the middle of the stream; the caller sees it cut off. */
  readonly onError: (error: unknown) => void;
}

const headers = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
};

/** How long a browser waits before it connects again. */
const retryMs = 1000;

/**
 * Answers with a stream of events, and returns when it is over: the source has ended, the caller hung up, or the server stops. What
 * a caller does not take in time waits in the source; here is never more than one batch, and of all callers no more than the budget.
 *
 * Comments and `retry:` are lines of their own, without the empty line that ends an event: even a reader that knows no better
 * takes no event from them.
 */
export async function sendEvents(reply: FastifyReply, source: SseSource, options: SseOptions): Promise<void> {
  const { lifetime, readers } = options;
  const { turns, budget } = options.sending;
  const response = reply.raw;
  const stop = new AbortController();
  const end = () => stop.abort();
  const comment = (text: string) => {
    // A caller that does not keep up has enough to read.
    if (!response.writableNeedDrain) response.write(`: ${text}\n`);
  };
  reply.hijack();
  response.once("close", end);
  lifetime.ending.addEventListener("abort", end);
  const heartbeat = setInterval(() => comment("still here"), options.heartbeatMs);
  readers.inc();
  const batches = source(stop.signal)[Symbol.asyncIterator]();
  try {
    // Asked before the headers go out: a caller that has seen them misses nothing from then on.
    await turns.taken(1);
    let next = batches.next();
    writeHead(reply, headers);
    let head = `retry: ${retryMs}\n`;
    const send = (bytes: Buffer) => {
      const sent = response.write(head === "" ? bytes : Buffer.concat([Buffer.from(head), bytes]));
      head = "";
      return sent;
    };
    // What there is already goes out together with the headers.
    if ((await Promise.race([next, nextTurn()])) === undefined) send(nothing);
    if (lifetime.ending.aborted) end();
    for (let bytes = await bytesOf(next); bytes !== undefined && !response.destroyed; bytes = await bytesOf(next)) {
      if (!send(bytes)) {
        budget.hold(response, response.writableLength);
        // While it waits, nothing but the socket has what it waits for.
        bytes = nothing;
        await drained(response, stop.signal);
        budget.release(response);
      }
      await turns.taken(1);
      if (stop.signal.aborted) break;
      next = batches.next();
    }
    if (lifetime.ending.aborted) comment("server is shutting down");
    response.end(head);
  } catch (error) {
    if (!stop.signal.aborted) options.onError(error);
    response.destroy();
  } finally {
    end();
    budget.release(response);
    clearInterval(heartbeat);
    readers.dec();
    response.off("close", end);
    lifetime.ending.removeEventListener("abort", end);
    await batches.return?.();
  }
}

const nothing: Buffer = Buffer.alloc(0);

async function bytesOf(batch: Promise<IteratorResult<readonly SseEvent[]>>): Promise<Buffer | undefined> {
  const { done, value } = await batch;
  if (done) return undefined;
  const [first, ...others] = value.map(frame);
  return others.length === 0 ? first : Buffer.concat([first ?? nothing, ...others]);
}

/** An event that several readers get is written out once. */
const frames = new WeakMap<SseEvent, Buffer>();

function frame(event: SseEvent): Buffer {
  const known = frames.get(event);
  if (known !== undefined) return known;
  const id = event.id === undefined ? "" : `id: ${event.id}\n`;
  const bytes = Buffer.from(`${id}event: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`);
  frames.set(event, bytes);
  return bytes;
}

/** Resolves when there is room again, or when there is nothing to wait for any more. */
function drained(response: FastifyReply["raw"], signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    response.on("drain", done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
