/**
 * Shares the event loop between work that comes in great numbers and everything else. Whoever does a piece of it takes its units first, and where
 * there are none left waits for a later turn, behind those who wait already.
 */
export class Turns {
  readonly #unitsPerTurn: number;
  readonly #waiting: (() => void)[] = [];
  #left: number;
  #scheduled = false;

  /** `perTurn`: units that one turn of the event loop does. */
  constructor(perTurn: number) {
    this.#unitsPerTurn = perTurn;
    this.#left = perTurn;
  }

  /** Whether there is room in this turn; then it is taken. The last one to come may take more than is left. */
  take(units: number): boolean {
    this.#schedule();
    if (this.#left <= 0) return false;
    this.#left -= units;
    return true;
  }

  /** Calls `run` in a later turn. */
  later(run: () => void): void {
    this.#waiting.push(run);
    this.#schedule();
  }

  /** Takes units, at once or in a later turn. */
  async taken(units: number): Promise<void> {
    while (!this.take(units)) await new Promise<void>((resolve) => this.later(resolve));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#begin());
  }

  #begin(): void {
    this.#scheduled = false;
    this.#left = this.#unitsPerTurn;
    // Those who come back to wait meanwhile are for the next turn. A promise's holder takes its units only behind this loop: each counts as one.
    for (let n = Math.min(this.#waiting.length, this.#unitsPerTurn); n > 0 && this.#left > 0; n--)
      this.#waiting.shift()?.();
    if (this.#waiting.length > 0) this.#schedule();
  }
}
