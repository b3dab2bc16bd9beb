/** What may wait in this process for readers that don't read, all of them together. */
const defaultMaxBytes = 64 * 1024 * 1024;

interface Connection {
  destroy(): unknown;
}

/**
 * Bounds what was written to connections and not taken by their readers, over all of them. When it is too much, who has stood still
 * for longest is cut off: a reader of events comes back with the number of the last that it has seen.
 */
export class SendBudget {
  readonly #maxBytes: number;
  /** Bytes of each; who has waited for longest is first. */
  readonly #held = new Map<Connection, number>();
  #bytes = 0;

  constructor(maxBytes = defaultMaxBytes) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** So much waits for this reader since now. */
  hold(connection: Connection, bytes: number): void {
    this.release(connection);
    this.#held.set(connection, bytes);
    this.#bytes += bytes;
    for (const [slowest] of this.#held) {
      if (this.#bytes <= this.#maxBytes) return;
      this.release(slowest);
      slowest.destroy();
    }
  }

  /** Its reader has taken everything, or is gone. */
  release(connection: Connection): void {
    this.#bytes -= this.#held.get(connection) ?? 0;
    this.#held.delete(connection);
  }
}
