import { InputSequence } from "./input-sequence.ts";

const tilde = 0x7e;
const dot = 0x2e;
const ctrlP = 0x10;
const ctrlQ = 0x11;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const escapeKey = 0x1b;

export interface Typed {
  /** What goes to the program. */
  readonly send: Uint8Array;
  /** The keys to detach were typed; whatever came behind them is dropped. */
  readonly detach: boolean;
}

/**
 * Looks for the keys to detach in what is typed: `~.` at the beginning of a line, where `~~` stands for one tilde, as in ssh; and
 * Ctrl-P Ctrl-Q anywhere, as in docker. The first key of either is held back until the next one tells. What the terminal answers
 * to a program's questions in between, which shells ask at every prompt, is no typing; nor is what somebody pastes, where the terminal says so.
 */
export class DetachKeys {
  #held: typeof tilde | typeof ctrlP | undefined;
  #atLineStart = true;
  #isPasting = false;
  #sequence: InputSequence | undefined;
  /** Of a sequence that has come behind a key that is held: if it is a key too, it goes out behind that one. */
  #waiting: number[] = [];

  /** A lone Ctrl-P, or Escape, is a key of its own in many programs: whoever holds it gives it up (`release`) after a short time. */
  get holdsBriefly(): boolean {
    return this.#held === ctrlP || this.#waiting.length > 0;
  }

  take(typed: Uint8Array): Typed {
    const send: number[] = [];
    for (const byte of typed) {
      if (this.#sequence !== undefined) {
        this.#goOn(this.#sequence, byte, send);
        continue;
      }
      if (byte === escapeKey) {
        this.#sequence = new InputSequence();
        (this.#held === undefined ? send : this.#waiting).push(byte);
        continue;
      }
      if (this.#isPasting) {
        send.push(byte);
        continue;
      }
      const held = this.#held;
      this.#held = undefined;
      if (held === tilde && byte === dot) return { send: Uint8Array.from(send), detach: true };
      if (held === ctrlP && byte === ctrlQ) return { send: Uint8Array.from(send), detach: true };
      if (held !== undefined) {
        send.push(held);
        this.#atLineStart = false;
        if (held === tilde && byte === tilde) continue;
      }
      if (byte === ctrlP || (byte === tilde && this.#atLineStart)) {
        this.#held = byte;
        continue;
      }
      send.push(byte);
      this.#atLineStart = endsLine(byte);
    }
    return { send: Uint8Array.from(send), detach: false };
  }

  /** Gives out what is held. */
  release(): Uint8Array {
    const held = this.#held === undefined ? [] : [this.#held, ...this.#waiting];
    if (held.length > 0) this.#atLineStart = false;
    this.#held = undefined;
    this.#waiting = [];
    return Uint8Array.from(held);
  }

  #goOn(sequence: InputSequence, byte: number, send: number[]): void {
    const kind = sequence.add(byte);
    (this.#held === undefined ? send : this.#waiting).push(byte);
    if (kind === "open") return;
    this.#sequence = undefined;
    if (kind === "answer") {
      for (const waiting of this.#waiting) send.push(waiting);
      this.#waiting = [];
    } else {
      send.push(...this.release());
      if (kind !== "key") this.#isPasting = kind === "paste-begins";
      this.#atLineStart = endsLine(byte);
    }
  }
}

function endsLine(byte: number): boolean {
  return byte === carriageReturn || byte === lineFeed;
}
