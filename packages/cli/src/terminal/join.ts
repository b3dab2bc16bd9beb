import { setTimeout as delay } from "node:timers/promises";
import type { TerminalSize } from "boxrun-sdk";
import { DetachKeys } from "./detach-keys.ts";
import type { HostTerminal } from "./host-terminal.ts";
import { InputQueue } from "./input-queue.ts";

/** A program's terminal in a box. */
export interface BoxTerminal {
  /** Ends behind the last byte of the program; throws when the connection is lost. */
  readonly output: AsyncIterable<Uint8Array>;
  /** Settles behind the output. */
  readonly exit: Promise<{ readonly code: number }>;
  resize(size: TerminalSize): Promise<void>;
  /** Passes keys on until they end; rejects when the connection is lost. `undefined`: the program is given no input. */
  readonly send: ((keys: AsyncIterable<Uint8Array>) => Promise<void>) | undefined;
}

export type TerminalEnd = { readonly kind: "exited"; readonly code: number } | { readonly kind: "detached" };

/** How long a Ctrl-P waits for its Ctrl-Q, or an Escape for the rest of its sequence. */
const briefMs = 500;
/** How long the keys typed before a detach may take to arrive. */
const lastKeysMs = 1000;

/**
 * Joins the box's terminal with this one until the program ends, the detach keys are typed, or the connection is lost (rejects). The
 * caller disposes of `host`, and first: nothing may be printed before.
 */
export async function joinTerminals(box: BoxTerminal, host: HostTerminal, signal: AbortSignal): Promise<TerminalEnd> {
  const { promise: over, resolve: end, reject: fail } = Promise.withResolvers<TerminalEnd>();
  const interrupt = () => fail(signal.reason);
  signal.addEventListener("abort", interrupt);
  if (signal.aborted) interrupt();

  host.watchSize(latestOnly((size) => box.resize(size)));
  passOutput(box, host).then(end, fail);
  const keys = new InputQueue();
  const sent = box.send?.(keys);
  sent?.catch(fail);
  if (box.send !== undefined) readKeys(host, keys, () => end({ kind: "detached" }));
  try {
    const result = await over;
    keys.end();
    if (result.kind === "detached" && sent !== undefined) await settled(sent, lastKeysMs);
    return result;
  } finally {
    keys.end();
    signal.removeEventListener("abort", interrupt);
  }
}

async function passOutput(box: BoxTerminal, host: HostTerminal): Promise<TerminalEnd> {
  for await (const bytes of box.output) await host.write(bytes);
  return { kind: "exited", code: (await box.exit).code };
}

/** The terminal that is gone detaches too: there is nobody left to type. */
function readKeys(host: HostTerminal, keys: InputQueue, detach: () => void): void {
  const detachKeys = new DetachKeys();
  let timer: NodeJS.Timeout | undefined;
  host.readInput(async (bytes) => {
    clearTimeout(timer);
    const typed = detachKeys.take(bytes);
    if (detachKeys.holdsBriefly) timer = setTimeout(() => void keys.push(detachKeys.release()), briefMs);
    const pushed = keys.push(typed.send);
    if (typed.detach) detach();
    await pushed;
  }, detach);
}

/** Of the sizes that come while one is on its way, only the last is sent. A program that has ended needs none. */
function latestOnly(send: (size: TerminalSize) => Promise<void>): (size: TerminalSize) => void {
  let next: TerminalSize | undefined;
  let isSending = false;
  const sendAll = async () => {
    isSending = true;
    for (let size = next; size !== undefined; size = next) {
      next = undefined;
      // What is wrong with the connection is told by the output's end.
      await send(size).catch(() => undefined);
    }
    isSending = false;
  };
  return (size) => {
    next = size;
    if (!isSending) void sendAll();
  };
}

async function settled(promise: Promise<void>, withinMs: number): Promise<void> {
  const waiting = new AbortController();
  const patience = delay(withinMs, undefined, { signal: waiting.signal });
  await Promise.race([promise, patience]).catch(() => undefined);
  waiting.abort();
  await patience.catch(() => undefined);
}
