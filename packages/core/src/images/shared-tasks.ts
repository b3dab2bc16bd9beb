interface Joiner<P> {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: P) => void;
}

interface Task<T, P> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  readonly joiners: Set<Joiner<P>>;
}

/** Work that many ask for at once and that is done once. It is given up only when everybody who asked has gone. */
export class SharedTasks<T, P> {
  readonly #tasks = new Map<string, Task<T, P>>();

  async join(
    key: string,
    joiner: Joiner<P>,
    work: (signal: AbortSignal, onProgress: (progress: P) => void) => Promise<T>,
  ): Promise<T> {
    joiner.signal.throwIfAborted();
    const task = this.#tasks.get(key) ?? this.#begin(key, work);
    task.joiners.add(joiner);
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = () => {
      reject(joiner.signal.reason);
      task.joiners.delete(joiner);
      if (task.joiners.size === 0) this.#abandon(key, task);
    };
    joiner.signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([task.result, left]);
    } finally {
      joiner.signal.removeEventListener("abort", leave);
    }
  }

  #begin(key: string, work: (signal: AbortSignal, onProgress: (progress: P) => void) => Promise<T>): Task<T, P> {
    const controller = new AbortController();
    const joiners = new Set<Joiner<P>>();
    const result = work(controller.signal, (progress) => {
      for (const joiner of joiners) joiner.onProgress(progress);
    });
    const task = { result, controller, joiners };
    this.#tasks.set(key, task);
    const forget = () => {
      if (this.#tasks.get(key) === task) this.#tasks.delete(key);
    };
    result.then(forget, forget);
    return task;
  }

  #abandon(key: string, task: Task<T, P>): void {
    if (this.#tasks.get(key) === task) this.#tasks.delete(key);
    task.controller.abort();
  }
}
