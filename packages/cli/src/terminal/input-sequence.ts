const escapeKey = 0x1b;
const bell = 0x07;

/** Longer answers than this are none: OSC 52, say, sends a clipboard. */
const maxLength = 1024 * 1024;

/**
 * What a terminal answers or reports by itself, behind `ESC [`: where the cursor is (R), what it is (c), how it is (n), its size (t), a mode ($y), the
 * keyboard's protocol (? u), that it got or lost the focus (I, O), the mouse (< M, < m). xterm's ctlseqs.
 */
const report = /^(?:\??\d+;\d+(?:;\d+)?R|[?>=][\d;]*c|\??[\d;]*n|[\d;]*t|\??[\d;]*\$y|\?\d*u|[IO]|<[\d;]+[Mm])$/;

/** What the terminal puts around a paste for a program that asked it to, as bash does at its prompt. */
const pasteBegins = "200~";
const pasteEnds = "201~";

type State = "escape" | "control" | "mouse" | "shift" | "string" | "string-escape";

export type InputKind = "open" | "answer" | "key" | "paste-begins" | "paste-ends";

/**
 * One escape sequence in what comes from a terminal, byte by byte behind its ESC: a key that somebody pressed, the terminal's own answer, or what it
 * puts around a paste.
 */
export class InputSequence {
  #state: State = "escape";
  #parameters = "";
  #length = 1;

  /** `open`: there is more to come. */
  add(byte: number): InputKind {
    this.#length += 1;
    switch (this.#state) {
      case "escape":
        return this.#begin(String.fromCharCode(byte));
      case "control":
        return this.#control(byte);
      case "mouse":
        // `ESC [ M` and three bytes.
        return this.#length === 6 ? "answer" : "open";
      case "shift":
        return "key";
      case "string":
        if (byte === bell) return "answer";
        if (byte === escapeKey) this.#state = "string-escape";
        // No answer has others in it: somebody has pressed Alt-], and goes on typing.
        else if (byte < 0x20 || this.#length > maxLength) return "key";
        return "open";
      case "string-escape":
        return byte === 0x5c ? "answer" : "key";
    }
  }

  #begin(character: string): "open" | "key" {
    if (character === "[") this.#state = "control";
    else if (character === "O") this.#state = "shift";
    else if ("]P_^X".includes(character)) this.#state = "string";
    else return "key";
    return "open";
  }

  #control(byte: number): InputKind {
    const character = String.fromCharCode(byte);
    if (character === "M" && this.#parameters === "") {
      this.#state = "mouse";
      return "open";
    }
    this.#parameters += character;
    if (byte >= 0x20 && byte <= 0x3f && this.#length < 256) return "open";
    if (this.#parameters === pasteBegins) return "paste-begins";
    if (this.#parameters === pasteEnds) return "paste-ends";
    return report.test(this.#parameters) ? "answer" : "key";
  }
}
