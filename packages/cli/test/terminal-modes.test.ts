import { describe, expect, it } from "vitest";
import { TerminalModes } from "../src/terminal/modes.ts";

/** Once whole, once byte for byte: the same either way. */
function resetAfter(output: string): string {
  const whole = new TerminalModes();
  whole.follow(Buffer.from(output));
  const text = whole.reset();
  const cut = new TerminalModes();
  for (const byte of Buffer.from(output)) cut.follow(Uint8Array.of(byte));
  expect(cut.reset()).toBe(text);
  expect(whole.reset()).toBe("");
  return text;
}

describe("a terminal is put in order", () => {
  it.each([
    ["alternate screen", "\u001b[?1049h", "\u001b[?1049l"],
    ["the old alternate screen", "\u001b[?47h", "\u001b[?47l"],
    ["hidden cursor", "\u001b[?25l", "\u001b[?25h"],
    ["mouse", "\u001b[?1000h\u001b[?1006h", "\u001b[?1000l\u001b[?1006l"],
    ["several modes at once", "\u001b[?1002;1006h", "\u001b[?1002l\u001b[?1006l"],
    ["bracketed paste", "\u001b[?2004h$ ", "\u001b[?2004l"],
    ["focus reports", "\u001b[?1004h", "\u001b[?1004l"],
    ["cursor keys and keypad", "\u001b[?1h\u001b=", "\u001b[?1l\u001b>"],
    ["no wrapping", "\u001b[?7l", "\u001b[?7h"],
    ["colours", "\u001b[1;31mred", "\u001b[0m"],
    ["cursor shape", "\u001b[5 q", "\u001b[0 q"],
    ["line drawing", "\u001b(0lqk", "\u001b(B"],
    ["the other character set", "\u000elqk", "\u000f"],
    ["scroll region", "\u001b[2;20r", "\u001b7\u001b[r\u001b8"],
    ["insert mode", "\u001b[4h", "\u001b[4l"],
    ["modified keys", "\u001b[>4;2m", "\u001b[>4m"],
    ["kitty's keyboard", "\u001b[>1u", "\u001b[<99u\u001b[=0u"],
    ["a title that is cut off", "\u001b]0;tit", "\u001b\\"],
    ["a title cut off before its last byte", "\u001b]0;title\u001b", "\u001b\\"],
    ["a sequence that is cut off", "\u001b[?10", "\u0018"],
    ["modes switched on behind a title", "\u001b]0;x\u0007\u001b[?25l", "\u001b[?25h"],
    ["modes switched on behind an aborted sequence", "\u001b[12\u0018\u001b[?25l", "\u001b[?25h"],
  ])("after %s", (_, output, reset) => {
    expect(resetAfter(output)).toBe(reset);
  });

  it.each([
    ["plain text", "hello\r\nwörld → ✓\r\n"],
    ["modes that were switched off again", "\u001b[?1049h\u001b[?25l\u001b[?25h\u001b[?1049l"],
    ["colours that were switched off", "\u001b[31mred\u001b[m \u001b[1mbold\u001b[0m"],
    ["character sets that were switched back", "\u001b(0\u001b(B\u000e\u000f"],
    ["a full reset", "\u001b[?1049h\u001b[?1000h\u001b=\u001b[31m\u001bc"],
    ["what looks like a mode inside a title", "\u001b]0;[?25l\u0007"],
    ["modes that are none of ours", "\u001b[?12h\u001b[?9999h\u001b[20h"],
    ["a sequence without end", `\u001b[${"1;".repeat(500)}`],
    ["absurd parameters", "\u001b[?99999999999999999999h\u001b[?;;;h\u001b[?h"],
  ])("not after %s", (_, output) => {
    expect(resetAfter(output)).toBe("");
  });

  it("with the message behind it on a line of its own", () => {
    const modes = new TerminalModes();
    expect(modes.atLineStart).toBe(true);
    modes.follow(Buffer.from("$ "));
    expect(modes.atLineStart).toBe(false);
    modes.follow(Buffer.from("exit\r\n"));
    expect(modes.atLineStart).toBe(true);
    modes.follow(Buffer.from("\u001b[?1049h~ vim"));
    modes.reset();
    expect(modes.atLineStart).toBe(true);
  });
});
