/**
 * Follows a terminal's output just far enough to know where it may be cut: not inside a UTF-8 character or an escape sequence. And
 * which modes it has left set, so that a terminal which did not see it can be brought to the same. ECMA-48, and xterm's "Control Sequences".
 */
export class ScreenScan {
  /** How far it has got, as an offset of the output. */
  #end: number;
  /** The last offset at which the output may be cut. */
  #cut: number;
  readonly #modes: Map<number, boolean>;
  #state: State = "ground";
  /** Parameters of the control sequence under way. */
  #parameters = "";
  /** Bytes that the character at the end of the text still lacks. */
  #missing = 0;

  /** At `offset`, where nothing is under way. */
  constructor(offset: number, modes: TerminalModes) {
    this.#end = offset;
    this.#cut = offset;
    this.#modes = new Map(modes);
  }

  get cut(): number {
    return this.#cut;
  }

  /** In the order in which they were last changed. */
  get modes(): TerminalModes {
    return [...this.#modes];
  }

  add(data: Uint8Array): void {
    let at = 0;
    while (at < data.length) {
      if (this.#state === "ground") {
        const next = data.indexOf(ESC, at);
        if (next < 0) {
          this.#text(data, at);
          break;
        }
        this.#missing = 0;
        this.#cut = this.#end + next;
        this.#state = "escape";
        at = next + 1;
        continue;
      }
      this.#state = this.#step(this.#state, data[at] ?? 0);
      at += 1;
      if (this.#state === "ground") this.#cut = this.#end + at;
    }
    this.#end += data.length;
    // A sequence without an end must not keep the output for ever.
    if (this.#end - this.#cut > longestSequenceBytes) {
      this.#state = "ground";
      this.#cut = this.#end;
    }
  }

  /** Plain text up to the end of `data`. */
  #text(data: Uint8Array, from: number): void {
    let at = from;
    while (this.#missing > 0 && at < data.length && isContinuation(data[at])) {
      this.#missing -= 1;
      at += 1;
    }
    if (at === data.length) {
      if (this.#missing === 0) this.#cut = this.#end + at;
      return;
    }
    const { end, missing } = boundary(data, at);
    this.#cut = this.#end + end;
    this.#missing = missing;
  }

  /** The state behind one byte of a sequence. */
  #step(state: State, byte: number): State {
    if (byte === CAN || byte === SUB) return "ground";
    // Inside a string it begins the string's end, or else breaks it off: the same to us.
    if (byte === ESC) return "escape";
    if (state === "escape") return this.#escape(byte);
    if (state === "control") {
      if (byte >= 0x40 && byte <= 0x7e) return this.#control(byte);
      if (this.#parameters.length < maxParameters) this.#parameters += String.fromCharCode(byte);
    }
    return state === "command" && byte === BEL ? "ground" : state;
  }

  #escape(byte: number): State {
    this.#parameters = "";
    const introduced = introducers[String.fromCharCode(byte)];
    if (introduced !== undefined) return introduced;
    // More of it follows.
    if (byte >= 0x20 && byte <= 0x2f) return "escape";
    if (byte === RIS) this.#modes.clear();
    else if (byte === DECKPAM || byte === DECKPNM) this.#setMode(keypadMode, byte === DECKPAM);
    return "ground";
  }

  #control(final: number): State {
    const isSet = final === SET;
    if ((isSet || final === RESET) && this.#parameters.startsWith("?")) {
      for (const parameter of this.#parameters.slice(1).split(";")) this.#setMode(Number(parameter), isSet);
    }
    return "ground";
  }

  #setMode(mode: number, isSet: boolean): void {
    if (!knownModes.has(mode)) return;
    this.#modes.delete(mode);
    this.#modes.set(mode, isSet);
  }
}

/** DECSET modes, and whether they are set. */
export type TerminalModes = readonly (readonly [mode: number, isSet: boolean])[];

/** The longest sequence that is waited for to end, in bytes: a picture or a copied text may be long. */
export const longestSequenceBytes = 64 * 1024;
const maxParameters = 64;

type State =
  | "ground"
  /** Behind ESC. */
  | "escape"
  /** CSI … final byte. */
  | "control"
  /** OSC … BEL or ST. */
  | "command"
  /** DCS, SOS, PM, APC … ST. */
  | "string";

const introducers: Readonly<Record<string, State>> = {
  "[": "control",
  "]": "command",
  P: "string",
  X: "string",
  "^": "string",
  _: "string",
};

const ESC = 0x1b;
const BEL = 0x07;
const CAN = 0x18;
const SUB = 0x1a;
const RIS = 0x63;
const DECKPAM = 0x3d;
const DECKPNM = 0x3e;
const SET = 0x68;
const RESET = 0x6c;
const keypadMode = 66;

/** Cursor keys, wrapping, cursor shown, keypad; mouse, focus; the other screen; bracketed paste. */
const knownModes: ReadonlySet<number> = new Set([
  1,
  7,
  9,
  25,
  47,
  keypadMode,
  1000,
  1002,
  1003,
  1004,
  1005,
  1006,
  1015,
  1047,
  1049,
  2004,
]);

/** Where plain text may be cut: before a character at its end that lacks bytes. RFC 3629, section 3. */
function boundary(data: Uint8Array, from: number): { readonly end: number; readonly missing: number } {
  for (let back = 1; back <= 3 && data.length - back >= from; back += 1) {
    const byte = data[data.length - back] ?? 0;
    if (isContinuation(byte)) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    if (length > back) return { end: data.length - back, missing: length - back };
    break;
  }
  return { end: data.length, missing: 0 };
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
