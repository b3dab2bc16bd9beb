import { describe, expect, it } from "vitest";
import { LineStore } from "../src/util/line-store.ts";

function textsOf(lines: LineStore): (string | undefined)[] {
  return Array.from({ length: lines.count }, (_, index) => lines.line(index)?.text);
}

describe("the lines of an output", () => {
  it("are the same however the output is cut", () => {
    const text = "one\ntwo\r\n\nfour, not ended";
    for (let size = 1; size <= text.length; size += 1) {
      const lines = new LineStore();
      for (let at = 0; at < text.length; at += size) lines.append(text.slice(at, at + size), "stdout");
      expect(textsOf(lines).map((line) => line?.replace("\r", ""))).toEqual(["one", "two", "", "four, not ended"]);
    }
  });

  it("keep both streams apart in the middle of a line", () => {
    const lines = new LineStore();
    lines.append("out ", "stdout");
    lines.append("error\n", "stderr");
    lines.append("put\n", "stdout");
    expect(textsOf(lines)).toEqual(["out put", "error"]);
    expect(lines.line(1)?.stream).toBe("stderr");
  });

  it("have of a progress bar its last state", () => {
    const lines = new LineStore();
    for (const percent of [0, 50, 100]) lines.append(`\r${percent} %`, "stdout");
    lines.append("\ndone", "stdout");
    expect(textsOf(lines)).toEqual(["100 %", "done"]);
  });

  it("begin in the style that their stream is in", () => {
    const lines = new LineStore();
    lines.append("\x1b[31mred\nstill\x1b[m\nplain", "stdout");
    expect([0, 1, 2].map((index) => lines.line(index)?.style.foreground)).toEqual([undefined, 1, undefined]);
  });

  it("are cut where they are endless", () => {
    const lines = new LineStore({ maxLineLength: 10 });
    lines.append("a".repeat(25), "stdout");
    lines.append("b\nc", "stdout");
    expect(textsOf(lines)).toEqual(["a".repeat(10), "a".repeat(10), "aaaaab", "c"]);
  });

  it("are bounded in number: the first go, and are counted", () => {
    const lines = new LineStore({ maxLines: 100 });
    for (let number = 0; number < 25_000; number += 1) lines.append(`${number}\n`, "stdout");
    expect(lines.count).toBe(100);
    expect(lines.dropped).toBe(24_900);
    expect(lines.line(0)?.text).toBe("24900");
    expect(lines.line(99)?.text).toBe("24999");
  });

  it("are bounded in size", () => {
    const lines = new LineStore({ maxCharacters: 1_000 });
    for (let number = 0; number < 100; number += 1) lines.append(`${"x".repeat(99)}\n`, "stdout");
    expect(lines.count).toBe(10);
  });

  it("forget a line of the other stream that was not ended when it goes", () => {
    const lines = new LineStore({ maxLines: 10 });
    lines.append("not ended", "stderr");
    for (let number = 0; number < 50; number += 1) lines.append(`${number}\n`, "stdout");
    lines.append(" ended\n", "stderr");
    expect(lines.line(9)).toMatchObject({ text: " ended", stream: "stderr" });
  });

  it("tell once of all that comes within a frame", async () => {
    const lines = new LineStore();
    let told = 0;
    const first = new Promise<void>((resolve) => {
      lines.subscribe(() => {
        told += 1;
        resolve();
      });
    });
    for (let number = 0; number < 1_000; number += 1) lines.append("line\n", "stdout");
    await first;
    expect(told).toBe(1);
  });
});
