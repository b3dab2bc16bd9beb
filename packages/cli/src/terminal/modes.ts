const esc = 0x1b;
const bell = 0x07;
const cancel = 0x18;
const substitute = 0x1a;
const shiftOut = 0x0e;
const shiftIn = 0x0f;
const lineFeed = 0x0a;

/**
 * DEC private modes (`CSI ? n h` and `l`) that leave a terminal unusable or odd when the program that set them is gone, with their
 * normal states. xterm's ctlseqs, "DEC Private Mode Set".
 */
const normalStates: ReadonlyMap<number, boolean> = new Map([
  [1, false], // cursor keys send ESC O
  [5, false], // reverse video
  [6, false], // origin in the scroll region
  [7, true], // lines wrap
  [25, true], // cursor is shown
  [66, false], // keypad
  [69, false], // left and right margins
  ...[9, 1000, 1001, 1002, 1003, 1005, 1006, 1015, 1016].map((mouse): [number, boolean] => [mouse, false]),
  [1004, false], // focus is reported
  [2004, false], // bracketed paste
  [2026, false], // screen updates are held back
  [2031, false], // changes of the colour scheme are reported
  [2048, false], // changes of size are reported
]);
const alternateScreens: readonly number[] = [47, 1047, 1049];

type State = "text" | "escape" | "charset" | "sequence" | "string" | "string-escape";

/** No sequence that is looked for is longer; what is, is no mode. */
const maxSequenceLength = 256;

/**
 * Follows what a program sends to its terminal, so that the terminal can be put in order when the program, or the connection to it, ends
 * at any moment. One byte stream, cut anywhere.
 */
export class TerminalModes {
  #state: State = "text";
  #sequence = "";
  readonly #changed = new Set<number>();
  #alternateScreen: number | undefined;
  #isStyled = false;
  #hasCursorShape = false;
  #hasKeypad = false;
  #hasScrollRegion = false;
  #inserts = false;
  #hasCharset = false;
  #isShiftedOut = false;
  #hasKittyKeys = false;
  #modifiesKeys = false;
  #atLineStart = true;

  /** Whether the cursor is at the beginning of a line, as far as one can tell without drawing the screen. */
  get atLineStart(): boolean {
    return this.#atLineStart;
  }

  follow(output: Uint8Array): void {
    for (let index = 0; index < output.length; index += 1) {
      if (this.#state === "text") {
        const end = output.indexOf(esc, index);
        this.#text(output.subarray(index, end === -1 ? output.length : end));
        if (end === -1) return;
        index = end;
      }
      this.#control(output[index] ?? 0);
    }
  }

  /** What puts the terminal in order; everything is then off. */
  reset(): string {
    let text = this.#abortSequence();
    if (this.#hasKittyKeys) text += "\u001b[<99u\u001b[=0u";
    // Each screen has a stack of its own.
    if (this.#alternateScreen !== undefined) text += `\u001b[?${this.#alternateScreen}l`;
    if (this.#hasKittyKeys && this.#alternateScreen !== undefined) text += "\u001b[<99u\u001b[=0u";
    for (const mode of this.#changed) text += `\u001b[?${mode}${normalStates.get(mode) ? "h" : "l"}`;
    if (this.#modifiesKeys) text += "\u001b[>4m";
    if (this.#hasKeypad) text += "\u001b>";
    if (this.#inserts) text += "\u001b[4l";
    // Setting the region moves the cursor.
    if (this.#hasScrollRegion) text += "\u001b7\u001b[r\u001b8";
    if (this.#hasCharset) text += "\u001b(B";
    if (this.#isShiftedOut) text += "\u000f";
    if (this.#hasCursorShape) text += "\u001b[0 q";
    if (this.#isStyled) text += "\u001b[0m";
    this.#forget();
    return text;
  }

  #text(text: Uint8Array): void {
    const last = text.at(-1);
    if (last !== undefined) this.#atLineStart = last === lineFeed;
    const out = text.lastIndexOf(shiftOut);
    const back = text.lastIndexOf(shiftIn);
    if (out !== back) this.#isShiftedOut = out > back;
  }

  #control(byte: number): void {
    if (byte === cancel || byte === substitute) {
      this.#state = "text";
    } else if (this.#state === "string") {
      if (byte === bell) this.#state = "text";
      else if (byte === esc) this.#state = "string-escape";
    } else if (byte === esc) {
      this.#state = "escape";
    } else if (this.#state === "escape" || this.#state === "string-escape") {
      this.#escape(String.fromCharCode(byte));
    } else if (this.#state === "charset") {
      if (this.#sequence === "(") this.#hasCharset = byte !== 0x42;
      this.#state = "text";
    } else {
      this.#sequence += String.fromCharCode(byte);
      if (byte >= 0x40 && byte <= 0x7e) {
        this.#state = "text";
        this.#sequenceEnded(this.#sequence);
      } else if (this.#sequence.length > maxSequenceLength) this.#state = "text";
    }
  }

  #escape(character: string): void {
    this.#sequence = "";
    this.#state = "text";
    if (character === "[") this.#state = "sequence";
    else if ("]PX^_".includes(character)) this.#state = "string";
    else if ("()*+".includes(character)) {
      this.#state = "charset";
      this.#sequence = character;
    } else if (character === "=") this.#hasKeypad = true;
    else if (character === ">") this.#hasKeypad = false;
    else if (character === "c") this.#forget();
  }

  /** `CSI` parameters, intermediates, final byte. */
  #sequenceEnded(sequence: string): void {
    const match = /^(?<prefix>[<=>?]?)(?<parameters>[\d;:]*)(?<end>[ -/]*[@-~])$/.exec(sequence);
    const { prefix, parameters = "", end } = match?.groups ?? {};
    const first = Number.parseInt(parameters, 10) || 0;
    if (prefix === "?" && (end === "h" || end === "l")) {
      for (const mode of parameters.split(";")) this.#setMode(Number(mode), end === "h");
    } else if (prefix === ">" && end === "m") {
      if (first === 4) this.#modifiesKeys = !/^4(;0?)?$/.test(parameters);
    } else if (end === "u" && (prefix === ">" || prefix === "=")) {
      this.#hasKittyKeys = true;
    } else if (prefix === "") {
      if (end === "m") this.#isStyled = !/^0*$/.test(parameters);
      else if (end === "r") this.#hasScrollRegion = parameters !== "";
      else if (end === " q") this.#hasCursorShape = first !== 0;
      else if (first === 4 && (end === "h" || end === "l")) this.#inserts = end === "h";
    }
  }

  #setMode(mode: number, isSet: boolean): void {
    if (alternateScreens.includes(mode)) {
      this.#alternateScreen = isSet ? mode : undefined;
      // Programs come with a line of their own.
      if (!isSet) this.#atLineStart = true;
    }
    const normal = normalStates.get(mode);
    if (normal === undefined) return;
    if (isSet === normal) this.#changed.delete(mode);
    else this.#changed.add(mode);
  }

  /** A terminal in the middle of a sequence would swallow what comes next. */
  #abortSequence(): string {
    if (this.#state === "text") return "";
    const isString = this.#state === "string" || this.#state === "string-escape";
    return isString ? "\u001b\\" : "\u0018";
  }

  #forget(): void {
    const wasElsewhere = this.#alternateScreen !== undefined;
    this.#state = "text";
    this.#changed.clear();
    this.#alternateScreen = undefined;
    this.#isStyled = false;
    this.#hasCursorShape = false;
    this.#hasKeypad = false;
    this.#hasScrollRegion = false;
    this.#inserts = false;
    this.#hasCharset = false;
    this.#isShiftedOut = false;
    this.#hasKittyKeys = false;
    this.#modifiesKeys = false;
    if (wasElsewhere) this.#atLineStart = true;
  }
}
