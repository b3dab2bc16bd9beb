/**
 * Work that several callers want at once and that is done once. It is aborted only when every caller has given up.
 */
export class SharedTasks<T> {
  readonly #running = new Map<string, { promise: Promise<T>; waiting: number; controller: AbortController }>();

  async run(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    let task = this.#running.get(key);
    if (task === undefined) {
      const controller = new AbortController();
      const promise = work(controller.signal).finally(() => {
        if (this.#running.get(key)?.controller === controller) this.#running.delete(key);
      });
      promise.catch(() => undefined);
      task = { promise, waiting: 0, controller };
      this.#running.set(key, task);
    }
    const joined = task;
    joined.waiting++;
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([joined.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
      joined.waiting--;
      if (joined.waiting === 0) {
        // Whoever comes now begins anew rather than joining what is being given up.
        if (this.#running.get(key) === joined) this.#running.delete(key);
        joined.controller.abort(signal.reason);
        // The last one to leave sees the work's files gone before it returns.
        await joined.promise.catch(() => undefined);
      }
    }
  }
}
