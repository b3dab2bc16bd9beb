/**
 * Who is about to name an image that may have no name yet (a pull, an import, the create of a box), and what is to be destroyed because
 * nothing names it: the latter waits until nobody is about to.
 */
export class Claims {
  #holders = 0;
  #waiting: (() => Promise<void>)[] = [];
  /** What is being destroyed; never rejects. */
  #destroying: Promise<void> = Promise.resolve();
  readonly #onFailure: (error: unknown) => void;

  /** `onFailure`: of what was to be destroyed later, and so has nobody who waits for it. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** While `work` runs, nothing is destroyed that it may be about to name. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.#holders += 1;
    try {
      await this.#destroying;
      return await work();
    } finally {
      this.#holders -= 1;
      if (this.#holders === 0) await this.#destroyWaiting();
    }
  }

  /** Now, or once nobody holds anything: `destroy` looks again whether anything names what it is about. */
  async whenUnclaimed(destroy: () => Promise<void>): Promise<void> {
    if (this.#holders > 0) {
      this.#waiting.push(destroy);
      return;
    }
    await this.#destroy(destroy);
  }

  async #destroyWaiting(): Promise<void> {
    for (const destroy of this.#waiting.splice(0)) {
      await this.whenUnclaimed(destroy).catch((error: unknown) => this.#onFailure(error));
    }
  }

  #destroy(destroy: () => Promise<void>): Promise<void> {
    const destroyed = this.#destroying.then(destroy);
    this.#destroying = destroyed.catch(() => undefined);
    return destroyed;
  }
}
