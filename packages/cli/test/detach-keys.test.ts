import { describe, expect, it } from "vitest";
import { DetachKeys } from "../src/terminal/detach-keys.ts";

/** Every piece is typed on its own; what reaches the program. */
function typed(...pieces: readonly string[]): { readonly sent: string; readonly detached: boolean } {
  const keys = new DetachKeys();
  let sent = "";
  for (const piece of pieces) {
    const { send, detach } = keys.take(Buffer.from(piece));
    sent += Buffer.from(send).toString();
    if (detach) return { sent, detached: true };
  }
  return { sent, detached: false };
}

describe("the detach keys", () => {
  it.each([
    ["~. at the very beginning", ["~."], ""],
    ["~. behind Enter", ["ls\r", "~", "."], "ls\r"],
    ["~. behind a line feed", ["ls\n~."], "ls\n"],
    ["Ctrl-P Ctrl-Q in the middle of a line", ["abc\x10", "\x11"], "abc"],
    ["Ctrl-P Ctrl-Q behind another Ctrl-P", ["\x10\x10\x11"], "\x10"],
    ["~. behind where the cursor is", ["ls\r", "\u001b[24;3R", "~."], "ls\r\u001b[24;3R"],
    ["~ and . with an answer between", ["\r~", "\u001b[1;1R", "."], "\r\u001b[1;1R"],
    ["~. behind an answer that comes in pieces", ["\r\u001b", "[2", ";1R~", "."], "\r\u001b[2;1R"],
    ["~. behind what the terminal is", ["\u001b[?64;1;9c\u001b[>41;370;0c~."], "\u001b[?64;1;9c\u001b[>41;370;0c"],
    ["~. behind its colours", ["\u001b]11;rgb:0000/0000/0000\u001b\\\u001b]10;rgb:f/f/f\x07~."], undefined],
    ["~. behind its name", ["\u001bP>|XTerm(370)\u001b\\~."], undefined],
    ["~. behind its size, a mode, the keyboard's", ["\u001b[8;24;80t\u001b[?2026;2$y\u001b[?1u~."], undefined],
    ["~. behind the focus and the mouse", ["\u001b[I\u001b[O\u001b[<0;3;4M\u001b[<0;3;4m\u001b[M !!~."], undefined],
    ["Ctrl-P Ctrl-Q with an answer between", ["\x10", "\u001b[1;1R", "\x11"], "\u001b[1;1R"],
    ["~. behind Alt-] and a line", ["\u001b]", "x\r~."], "\u001b]x\r"],
    ["~. on the line behind a paste", ["\u001b[200~ls\u001b[201~\r~."], "\u001b[200~ls\u001b[201~\r"],
    ["~. behind a tilde of its own line", ["~~\r~."], "~\r"],
  ])("detach: %s", (_, pieces, sent) => {
    expect(typed(...pieces)).toEqual({ sent: sent ?? pieces.join("").replace("~.", ""), detached: true });
  });

  it.each([
    ["~. in the middle of a line", ["ls ~.\r"], "ls ~.\r"],
    ["~~ at the beginning: one tilde", ["~~"], "~"],
    ["~~. at the beginning: a tilde and a dot", ["~~."], "~."],
    ["a tilde and another key", ["~/bin\r"], "~/bin\r"],
    ["a tilde that is held back", ["\r~"], "\r"],
    ["~ Enter ~~", ["~\r~~"], "~\r~"],
    ["Ctrl-P and another key", ["\x10", "x"], "\x10x"],
    ["Ctrl-Q alone", ["\x11"], "\x11"],
    ["Ctrl-P ~ . in a line", ["x\x10~."], "x\x10~."],
    ["a dot behind a tilde that a key parts from it", ["~x."], "~x."],
    ["UTF-8, cut in the middle of a character", ["ä→".slice(0, 1), "→"], "ä→"],
    ["~. behind an arrow", ["\r\u001b[A~."], "\r\u001b[A~."],
    [
      "~. behind F1, Alt-x and a function key",
      ["\u001bOP~.\r\u001bx~.\r\u001b[15~~."],
      "\u001bOP~.\r\u001bx~.\r\u001b[15~~.",
    ],
    ["a tilde, then an arrow", ["\r~", "\u001b[", "A."], "\r~\u001b[A."],
    ["a tilde, then Alt-x", ["~\u001bx."], "~\u001bx."],
    [
      "both in a paste",
      ["\u001b[200~a\r~.\x10", "\x11\u001b[A\r~.\u001b[20", "1~"],
      "\u001b[200~a\r~.\x10\x11\u001b[A\r~.\u001b[201~",
    ],
    ["~. behind a paste", ["\r\u001b[200~ls\r\u001b[201~~."], "\r\u001b[200~ls\r\u001b[201~~."],
    ["a tilde, then a paste", ["\r~\u001b[200~.\u001b[201~"], "\r~\u001b[200~.\u001b[201~"],
    ["escape sequences", ["\u001b[A\u001bOP"], "\u001b[A\u001bOP"],
  ])("reach the program: %s", (_, pieces, sent) => {
    expect(typed(...pieces)).toEqual({ sent, detached: false });
  });

  it("give a tilde up for which an Escape came that stays alone", () => {
    const keys = new DetachKeys();
    expect(keys.take(Buffer.from("~"))).toEqual({ send: new Uint8Array(), detach: false });
    expect(keys.holdsBriefly).toBe(false);
    expect(keys.take(Buffer.from("\u001b")).send).toHaveLength(0);
    expect(keys.holdsBriefly).toBe(true);
    expect(Buffer.from(keys.release()).toString()).toBe("~\u001b");
    expect(keys.take(Buffer.from("[A")).send).toHaveLength(2);
  });

  it("give a Ctrl-P up that was held for long enough", () => {
    const keys = new DetachKeys();
    expect(keys.take(Buffer.from("\r\x10")).send).toEqual(Uint8Array.from([0x0d]));
    expect(keys.holdsBriefly).toBe(true);
    expect(keys.release()).toEqual(Uint8Array.from([0x10]));
    expect(keys.holdsBriefly).toBe(false);
    // No longer the beginning of a line, and no longer the first half.
    expect(keys.take(Buffer.from("~.\x11"))).toEqual({ send: Uint8Array.from(Buffer.from("~.\x11")), detach: false });
  });
});
