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
    ["~. behind a tilde of its own line", ["~~\r~."], "~\r"],
  ])("detach: %s", (_, pieces, sent) => {
    expect(typed(...pieces)).toEqual({ sent, detached: true });
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
    ["escape sequences", ["\u001b[A\u001bOP"], "\u001b[A\u001bOP"],
  ])("reach the program: %s", (_, pieces, sent) => {
    expect(typed(...pieces)).toEqual({ sent, detached: false });
  });

  it("give a Ctrl-P up that was held for long enough", () => {
    const keys = new DetachKeys();
    expect(keys.take(Buffer.from("\r\x10")).send).toEqual(Uint8Array.from([0x0d]));
    expect(keys.holdsControlP).toBe(true);
    expect(keys.release()).toEqual(Uint8Array.from([0x10]));
    expect(keys.holdsControlP).toBe(false);
    // No longer the beginning of a line, and no longer the first half.
    expect(keys.take(Buffer.from("~.\x11"))).toEqual({ send: Uint8Array.from(Buffer.from("~.\x11")), detach: false });
  });
});
