const tilde = 0x7e;
const dot = 0x2e;
const ctrlP = 0x10;
const ctrlQ = 0x11;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

export interface Typed {
  /** What goes to the program. */
  readonly send: Uint8Array;
  /** The keys to detach were typed; whatever came behind them is dropped. */
  readonly detach: boolean;
}

/**
 * Looks for the keys to detach in what is typed: `~.` at the beginning of a line, where `~~` stands for one tilde, as in ssh; and
 * Ctrl-P Ctrl-Q anywhere, as in docker. The first key of either is held back until the next one tells.
 */
export class DetachKeys {
  #held: typeof tilde | typeof ctrlP | undefined;
  #atLineStart = true;

  /** A lone Ctrl-P is a key of its own in many programs: whoever holds it gives it up (`release`) after a short time. */
  get holdsControlP(): boolean {
    return this.#held === ctrlP;
  }

  take(typed: Uint8Array): Typed {
    const send: number[] = [];
    for (const byte of typed) {
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
      this.#atLineStart = byte === carriageReturn || byte === lineFeed;
    }
    return { send: Uint8Array.from(send), detach: false };
  }

  /** Gives out what is held. */
  release(): Uint8Array {
    if (this.#held === undefined) return new Uint8Array();
    const held = Uint8Array.of(this.#held);
    this.#held = undefined;
    this.#atLineStart = false;
    return held;
  }
}
