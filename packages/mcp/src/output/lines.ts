/** Some lines of a text that comes in pieces. */
export class LinesFrom {
  readonly #lines: number;
  readonly #length: number;
  #toSkip: number;
  readonly #first: number;
  #text = "";

  /** From the line `first` on (the first one is 1), so many lines and characters at most. */
  constructor(first: number, limits: { readonly lines: number; readonly length: number }) {
    this.#first = first;
    this.#toSkip = first - 1;
    this.#lines = limits.lines;
    this.#length = limits.length;
  }

  add(piece: string): void {
    let at = 0;
    for (; this.#toSkip > 0; this.#toSkip -= 1) {
      const end = piece.indexOf("\n", at);
      if (end < 0) return;
      at = end + 1;
    }
    // One more than is shown, so that it is known whether something comes behind.
    if (!this.isFull) this.#text += piece.slice(at);
  }

  /** Nothing that comes would be shown. */
  get isFull(): boolean {
    return this.#text.length > this.#shown().length;
  }

  /** Whole lines; the last one may have no end of its own. */
  get text(): string {
    return this.#shown();
  }

  /** The line behind it; `null` where there is none. */
  get next(): number | null {
    return this.isFull ? this.#first + (this.text.match(/\n/g)?.length ?? 0) : null;
  }

  /** Not even one line has room. */
  get isCutInLine(): boolean {
    return this.isFull && this.text === "";
  }

  #shown(): string {
    let end = 0;
    for (let lines = 0; lines < this.#lines && end < this.#text.length; lines += 1) {
      const newline = this.#text.indexOf("\n", end);
      const next = newline < 0 ? this.#text.length : newline + 1;
      if (next > this.#length) break;
      end = next;
    }
    return this.#text.slice(0, end);
  }
}
