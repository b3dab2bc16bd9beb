/** What opens once, by key, and who waits for it. */
export class Gates {
  readonly #open = new Set<string>();
  readonly #waiting = new Map<string, PromiseWithResolvers<void>>();

  open(key: string): void {
    this.#open.add(key);
    this.#waiting.get(key)?.resolve();
    this.#waiting.delete(key);
  }

  async opened(key: string): Promise<void> {
    if (this.#open.has(key)) return;
    const waiting = this.#waiting.get(key) ?? Promise.withResolvers<void>();
    this.#waiting.set(key, waiting);
    await waiting.promise;
  }
}
