import { BoxRunError } from "@boxrun/contract";

/** How far a server is on its way out, and what it still does for its callers. */
export class Lifetime {
  readonly #ending = new AbortController();
  readonly #givingUp = new AbortController();
  readonly #work = new Set<Promise<unknown>>();

  /** Aborts when the server stops: readers of events are told, requests are still finished. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** Aborts when there is no more time for what still runs. */
  get givingUp(): AbortSignal {
    return this.#givingUp.signal;
  }

  end(): void {
    this.#ending.abort();
  }

  giveUp(): void {
    this.#givingUp.abort(new BoxRunError("CANCELED", "The server is shutting down"));
  }

  /** Counts work in, also when its caller has gone. */
  async track<T>(work: Promise<T>): Promise<T> {
    this.#work.add(work);
    try {
      return await work;
    } finally {
      this.#work.delete(work);
    }
  }

  /** Resolves when nothing is left to do. */
  async idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }
}
