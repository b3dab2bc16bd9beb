import { BoxRunError, toBoxRunError } from "@boxrun/contract";
import type { Logger } from "./ports/logger.ts";
import { type RetryTimes, waits } from "./retry.ts";

interface Kept {
  readonly write: () => void;
  error: unknown;
  readonly stored: PromiseWithResolvers<void>;
}

interface Parts {
  readonly logger: Logger;
  readonly times: RetryTimes;
}

/**
 * Writes that say what has happened already: they are never given up. One that the store can't take now (a full disk, a file that another
 * process holds) is tried again until it can; the newest of a key stands for those before it.
 */
export class KeptWrites {
  readonly #parts: Parts;
  readonly #kept = new Map<string, Kept>();
  #waits: Generator<number, never> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Whether it is stored now. */
  write(key: string, write: () => void): boolean {
    const before = this.#kept.get(key);
    try {
      write();
    } catch (error) {
      const kept = { write, error, stored: before?.stored ?? Promise.withResolvers<void>() };
      // Not everybody who writes waits for it.
      kept.stored.promise.catch(() => undefined);
      this.#kept.set(key, kept);
      this.#schedule(error);
      return false;
    }
    this.#kept.delete(key);
    before?.stored.resolve();
    return true;
  }

  /** Tries what is kept, oldest first: before something is written that it may stand in the way of. */
  flush(): void {
    for (const [key, { write }] of [...this.#kept]) this.write(key, write);
  }

  /** Resolves once what was written of `key` is stored; rejects, with the store's reason, if that takes too long or `signal` aborts. */
  async stored(key: string, signal?: AbortSignal): Promise<void> {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    const gaveUp = Promise.withResolvers<void>();
    const giveUp = () => gaveUp.reject(signal?.reason ?? this.#kept.get(key)?.error ?? kept.error);
    const timer = setTimeout(giveUp, this.#parts.times.limitMs);
    signal?.addEventListener("abort", giveUp, { once: true });
    if (signal?.aborted) giveUp();
    try {
      await Promise.race([kept.stored.promise, gaveUp.promise]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
    }
  }

  /** Tries once more; what can't be stored then the next server has to find out for itself. */
  close(): void {
    this.flush();
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { stored } of this.#kept.values())
      stored.reject(new BoxRunError("CANCELED", "The server is shutting down"));
  }

  #schedule(error: unknown): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#waits ??= waits(this.#parts.times);
    const waitMs = this.#waits.next().value;
    const { message } = toBoxRunError(error);
    this.#parts.logger.error(
      { reason: message, kept: this.#kept.size, retry_ms: waitMs },
      "state could not be stored yet",
    );
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush();
      if (this.#kept.size === 0) this.#waits = undefined;
    }, waitMs);
    this.#timer.unref();
  }
}
