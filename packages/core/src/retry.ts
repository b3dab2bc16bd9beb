import { setTimeout as delay } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";

/** How patient the core is with a store or an engine that fails. */
export interface RetryTimes {
  readonly firstMs: number;
  /** The wait doubles from one attempt to the next, up to this. */
  readonly longestMs: number;
  /** How long a caller waits for what is tried again and again. */
  readonly limitMs: number;
}

export const usualRetryTimes: RetryTimes = { firstMs: 100, longestMs: 5_000, limitMs: 15_000 };

/** The waits between attempts. */
export function* waits({ firstMs, longestMs }: RetryTimes): Generator<number, never> {
  for (let waitMs = firstMs; ; waitMs = Math.min(waitMs * 2, longestMs)) yield waitMs;
}

interface Options {
  readonly times: RetryTimes;
  readonly signal: AbortSignal;
  readonly onFailure: (error: unknown, waitMs: number) => void;
}

/** What `work` gives once it succeeds. Rejects only when `signal` aborts. */
export async function untilDone<T>(work: () => T | Promise<T>, { times, signal, onFailure }: Options): Promise<T> {
  for (const waitMs of waits(times)) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw error;
      onFailure(error, waitMs);
      await delay(waitMs, undefined, { signal, ref: false });
    }
  }
  throw new Error("unreachable: the waits never end");
}

/** Does it now, and if that fails, which is told, `again` and again later: nobody waits for that. */
export async function nowOrLater(
  work: () => Promise<void>,
  options: Omit<Options, "onFailure"> & { readonly onFailure: (error: unknown) => void },
  again = work,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    options.onFailure(error);
    untilDone(again, options).catch(() => undefined);
  }
}

/** Waits, without holding up anybody else, for another process that holds the database: up to `limitMs` in all. */
export async function whileBusy<T>(work: () => T, times: RetryTimes): Promise<T> {
  const deadlineMs = performance.now() + times.limitMs;
  for (const waitMs of waits({ ...times, firstMs: Math.min(times.firstMs, busyPollMs), longestMs: times.firstMs })) {
    try {
      return work();
    } catch (error) {
      const isBusy = error instanceof BoxRunError && error.details?.busy === true;
      if (!isBusy || performance.now() > deadlineMs) throw error;
      await delay(waitMs);
    }
  }
  throw new Error("unreachable: the waits never end");
}

const busyPollMs = 10;
