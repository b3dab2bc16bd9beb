/**
 * Tells readers that there is something new to read, never what: the store alone holds the truth. That is why no
 * reader sees a repeat or a reordering, or misses anything that is there.
 */
export class Wakeups {
  readonly #subscribers = new Map<string, Set<() => void>>();

  wake(key: string): void {
    for (const subscriber of this.#subscribers.get(key) ?? []) subscriber();
  }

  /** Everybody looks again. */
  wakeAll(): void {
    for (const key of this.#subscribers.keys()) this.wake(key);
  }

  /** Subscribe first, then read, then wait: what happens in between is not missed. */
  subscribe(key: string): Subscription {
    let awake = false;
    let resume: (() => void) | undefined;
    const notify = () => {
      awake = true;
      resume?.();
    };
    const set = this.#subscribers.get(key) ?? new Set();
    this.#subscribers.set(key, set.add(notify));
    return {
      next: async (signal) => {
        if (!awake && !signal.aborted) {
          await new Promise<void>((resolve) => {
            resume = resolve;
            signal.addEventListener("abort", resume, { once: true });
          });
          if (resume !== undefined) signal.removeEventListener("abort", resume);
          resume = undefined;
        }
        awake = false;
      },
      [Symbol.dispose]: () => {
        set.delete(notify);
        if (set.size === 0 && this.#subscribers.get(key) === set) this.#subscribers.delete(key);
      },
    };
  }
}

export interface Subscription extends Disposable {
  /** Resolves once something happened since the last call, or when `signal` aborts. */
  next(signal: AbortSignal): Promise<void>;
}
