/** Pieces of work that one turn of the event loop does for all readers together: a few milliseconds. */
const piecesPerTurn = 4;

/** Lets everyone have the event loop between what is done for the readers of events, however many there are. */
export class FairTurns {
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  /** Resolves when it is this piece's turn; in the order of the calls. */
  async take(): Promise<void> {
    if (this.#taken < piecesPerTurn) {
      this.#count(1);
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #count(pieces: number): void {
    if (this.#taken === 0 && pieces > 0) setImmediate(() => this.#next());
    this.#taken += pieces;
  }

  #next(): void {
    const next = this.#waiting.splice(0, piecesPerTurn);
    this.#taken = 0;
    this.#count(next.length);
    for (const resolve of next) resolve();
  }
}
