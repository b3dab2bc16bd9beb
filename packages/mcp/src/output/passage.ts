/** A part of a text that comes in pieces: from a place on, or the last characters of it. */
export class Passage {
  readonly #offset: number;
  readonly #limit: number;
  #text = "";
  #length = 0;

  /** `offset`: where it begins, in characters; a negative one counts from the end. */
  constructor(offset: number, limit: number) {
    this.#offset = offset;
    this.#limit = limit;
  }

  add(text: string): void {
    const at = this.#length;
    this.#length += text.length;
    if (this.#offset < 0) {
      this.#text += text;
      if (this.#text.length > 4096 - 2 * this.#offset) this.#text = this.#text.slice(this.#offset);
    } else if (this.#text.length < this.#limit && this.#length > this.#offset) {
      this.#text += text.slice(Math.max(0, this.#offset - at)).slice(0, this.#limit - this.#text.length);
    }
  }

  /** Of all that came, in characters. */
  get length(): number {
    return this.#length;
  }

  get start(): number {
    return this.#offset < 0 ? Math.max(0, this.#length + this.#offset) : Math.min(this.#offset, this.#length);
  }

  get text(): string {
    const text = this.#offset < 0 ? this.#text.slice(this.#offset).slice(0, this.#limit) : this.#text;
    return text.toWellFormed();
  }

  /** Where what comes behind it begins. */
  get end(): number {
    return this.start + this.text.length;
  }
}
