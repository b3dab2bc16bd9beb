interface Joiner<P> {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: P) => void;
}

type Work<T, P> = (signal: AbortSignal, onProgress: (progress: P) => void) => Promise<T>;

interface Task<T, P> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  readonly joiners: Set<Joiner<P>>;
}

/** Work that many ask for at once and that is done once. It is given up only when everybody who asked has gone. */
export class SharedTasks<T, P = never> {
  readonly #tasks = new Map<string, Task<T, P>>();

  /** The work's result, or its failure; the signal's reason once that aborts. The last one to leave does so when the work has ended. */
  async join(key: string, options: Joiner<P>, work: Work<T, P>): Promise<T> {
    const { signal } = options;
    signal.throwIfAborted();
    const joiner = { ...options };
    const task = this.#tasks.get(key) ?? this.#begin(key, work);
    task.joiners.add(joiner);
    const left = Promise.withResolvers<never>();
    const leave = () => left.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([task.result, left.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
      task.joiners.delete(joiner);
      if (task.joiners.size === 0) {
        // Whoever comes now begins anew rather than joining what is being given up.
        this.#forget(key, task);
        task.controller.abort(signal.reason);
        await task.result.catch(() => undefined);
      }
    }
  }

  #begin(key: string, work: Work<T, P>): Task<T, P> {
    const controller = new AbortController();
    const joiners = new Set<Joiner<P>>();
    const result = work(controller.signal, (progress) => {
      for (const joiner of joiners) joiner.onProgress?.(progress);
    });
    const task = { result, controller, joiners };
    this.#tasks.set(key, task);
    const forget = () => this.#forget(key, task);
    result.then(forget, forget);
    return task;
  }

  #forget(key: string, task: Task<T, P>): void {
    if (this.#tasks.get(key) === task) this.#tasks.delete(key);
  }
}
