import { describe, expect, it } from "vitest";
import { cssColour, parseLine, plainStyle, plainText, styleBehind } from "../src/util/ansi.ts";

const texts = (line: string) => parseLine(line, plainStyle).spans.map(({ text }) => text);
const styled = (line: string) => {
  const [span] = parseLine(line, plainStyle).spans;
  const changed = Object.entries(span?.style ?? {}).filter(([name, value]) => Reflect.get(plainStyle, name) !== value);
  return [span?.text, Object.fromEntries(changed)];
};

describe("a line of a program's output", () => {
  it.each([
    ["\x1b[31mred", { foreground: 1 }],
    ["\x1b[97mbright", { foreground: 15 }],
    ["\x1b[44mground", { background: 4 }],
    ["\x1b[103mbright ground", { background: 11 }],
    ["\x1b[38;5;208mindexed", { foreground: 208 }],
    ["\x1b[38;2;1;2;3mtrue", { foreground: "rgb(1 2 3)" }],
    ["\x1b[48;2;1;2;3;1mand bold", { background: "rgb(1 2 3)", bold: true }],
    ["\x1b[1;2;3;4;7;9mall", { bold: true, faint: true, italic: true, underline: true, inverse: true, struck: true }],
    ["\x1b[1;31m\x1b[mreset", {}],
    ["\x1b[1;4m\x1b[22mnot bold", { underline: true }],
    ["\x1b[31m\x1b[39mthe page's own", {}],
    ["\x1b[38;5;999mno colour", {}],
    ["\x1b[38mcut short", {}],
  ])("%j is shown as %j", (line, style) => {
    expect(styled(line)).toEqual([plainText(line), style]);
  });

  it("goes on in the style that the one before it ended in", () => {
    const { end } = parseLine("plain \x1b[32mgreen", plainStyle);
    expect(parseLine("still", end).spans).toEqual([{ text: "still", style: { ...plainStyle, foreground: 2 } }]);
    expect(styleBehind("no sequence", end)).toBe(end);
  });

  it.each([
    ["a title", "a\x1b]0;owned\x07b"],
    ["the clipboard", "a\x1b]52;c;cm0gLXJmIC8=\x07b"],
    ["a hyperlink", "\x1b]8;;javascript:alert(1)\x1b\\ab\x1b]8;;\x07"],
    ["a string without an end", "ab\x1b]0;for ever"],
    ["a device control string", "a\x1bP+q544e\x1b\\b"],
    ["the cursor", "a\x1b[2J\x1b[10;10Hb"],
    ["private modes", "a\x1b[?1049h\x1b[>4;2mb"],
    ["other escapes", "a\x1b(B\x1b=\x1bcb"],
    ["control characters", "a\x00\x07\x08\r\x7f\x9bb"],
  ])("leaves out %s, whole", (_what, line) => {
    expect(texts(line).join("")).toBe("ab");
    expect(plainText(line)).toBe("ab");
  });

  it("is text, whatever it says", () => {
    expect(texts("<script>alert(1)</script>&lt;")).toEqual(["<script>alert(1)</script>&lt;"]);
  });
});

describe("a colour of the palette", () => {
  it.each([
    [3, "var(--ansi-3)"],
    [16, "rgb(0 0 0)"],
    [21, "rgb(0 0 255)"],
    [208, "rgb(255 135 0)"],
    [231, "rgb(255 255 255)"],
    [232, "rgb(8 8 8)"],
    [255, "rgb(238 238 238)"],
  ])("%i is %s", (index, css) => {
    expect(cssColour(index)).toBe(css);
  });
});
