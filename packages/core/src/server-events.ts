import type { Box, Exec, ServerEvent } from "@boxrun/contract";

/**
 * Every change of state, for whoever watches the server. A watcher that falls behind gets the newest state of each box and exec,
 * not every one in between. What waits for all watchers together is bounded: who is furthest behind is left out then, and its
 * events end; it looks anew.
 */
export class ServerEvents {
  readonly #watchers = new Set<Watcher>();
  readonly #maxWaiting: number;

  constructor(maxWaiting = 200_000) {
    this.#maxWaiting = maxWaiting;
  }

  box(box: Box): void {
    this.#publish(box.id, { event: "box", data: box });
  }

  boxRemoved(id: string): void {
    this.#publish(id, { event: "box_removed", data: { id } });
  }

  exec(exec: Exec): void {
    this.#publish(exec.id, { event: "exec", data: exec });
  }

  async *watch(signal: AbortSignal): AsyncGenerator<ServerEvent> {
    const watcher: Watcher = { waiting: new Map(), resume: undefined };
    const stop = () => watcher.resume?.();
    signal.addEventListener("abort", stop, { once: true });
    this.#watchers.add(watcher);
    try {
      while (!signal.aborted && this.#watchers.has(watcher)) {
        const next = watcher.waiting.entries().next();
        if (next.done) {
          await new Promise<void>((resolve) => {
            watcher.resume = resolve;
          });
          watcher.resume = undefined;
          continue;
        }
        const [key, event] = next.value;
        watcher.waiting.delete(key);
        yield event;
      }
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener("abort", stop);
    }
  }

  #publish(key: string, event: ServerEvent): void {
    for (const watcher of this.#watchers) {
      // Deleted first, so that the newest state goes to the end of the queue.
      watcher.waiting.delete(key);
      watcher.waiting.set(key, event);
      watcher.resume?.();
    }
    this.#bound();
  }

  #bound(): void {
    const waiting = () => [...this.#watchers].reduce((sum, watcher) => sum + watcher.waiting.size, 0);
    while (waiting() > this.#maxWaiting) {
      const [furthest] = [...this.#watchers].sort((one, other) => other.waiting.size - one.waiting.size);
      if (furthest === undefined) return;
      this.#watchers.delete(furthest);
      furthest.waiting.clear();
      furthest.resume?.();
    }
  }
}

interface Watcher {
  readonly waiting: Map<string, ServerEvent>;
  resume: (() => void) | undefined;
}
