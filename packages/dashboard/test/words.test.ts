import { describe, expect, it } from "vitest";
import { shellLine, splitWords } from "../src/util/words.ts";

describe("a command line", () => {
  it.each([
    ["echo hello", ["echo", "hello"]],
    ["  a   b  ", ["a", "b"]],
    ["'one word' \"and two\"", ["one word", "and two"]],
    ['a\\ b "c \\"d\\"" \'e\\f\'', ["a b", 'c "d"', "e\\f"]],
    ["'' \"\"", ["", ""]],
    ["x'y'z", ["xyz"]],
  ])("%j is the words %j, as a shell has it", (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  it("is not ended while a quote is open", () => {
    expect(splitWords("echo 'and so on")).toBeUndefined();
  });

  it("is written so that it is read again", () => {
    const words = ["printf", "%s\n", "it's", "", "a b", "$HOME", "--x=1"];
    expect(splitWords(shellLine(words))).toEqual(words);
  });
});
