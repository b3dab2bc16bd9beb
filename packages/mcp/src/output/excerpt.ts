/** A text that comes in pieces and is too long to be shown whole: its beginning and its end, and how long it was. */
export class Excerpt {
  readonly #headLength: number;
  readonly #tailLength: number;
  #head = "";
  #tail = "";
  #length = 0;

  /** At most so many characters are kept, half of them from the end. */
  constructor(limit: number) {
    this.#tailLength = Math.floor(limit / 2);
    this.#headLength = limit - this.#tailLength;
  }

  add(text: string): void {
    this.#length += text.length;
    const room = this.#headLength - this.#head.length;
    this.#head += text.slice(0, room);
    this.#tail += text.slice(room);
    // Now and then, so that many small pieces do not copy the end each time.
    if (this.#tail.length > 2 * this.#tailLength + 4096) this.#tail = this.#lastOf(this.#tail);
  }

  /** Of all that came, in characters. */
  get length(): number {
    return this.#length;
  }

  /** How many characters are missing, and where the first of them stood; `undefined` if none is. */
  get gap(): { readonly from: number; readonly length: number } | undefined {
    const length = this.#length - this.#headLength - this.#tailLength;
    return length > 0 ? { from: this.#headLength, length } : undefined;
  }

  /** `note` stands where something is missing. */
  text(note: (gap: { readonly from: number; readonly length: number }) => string): string {
    const { gap } = this;
    if (gap === undefined) return this.#head + this.#tail;
    // A cut may go through the middle of a surrogate pair.
    return `${this.#head.toWellFormed()}\n${note(gap)}\n${this.#lastOf(this.#tail).toWellFormed()}`;
  }

  #lastOf(text: string): string {
    return this.#tailLength === 0 ? "" : text.slice(-this.#tailLength);
  }
}
