/** Why what runs in a box is about to end, where the server knows better than the engine. */
export class ExpectedEnds {
  readonly #messages = new Map<string, string[]>();

  /** The newest reason; several things may be ending a box at once. */
  get(boxId: string): string | undefined {
    return this.#messages.get(boxId)?.at(-1);
  }

  async during(boxId: string, message: string, work: () => Promise<void>): Promise<void> {
    const messages = this.#messages.get(boxId) ?? [];
    this.#messages.set(boxId, messages);
    messages.push(message);
    try {
      await work();
    } finally {
      messages.splice(messages.indexOf(message), 1);
      if (messages.length === 0) this.#messages.delete(boxId);
    }
  }
}
