import { describe, expect, it } from "vitest";
import { OutputRing, ringBytes } from "../src/sessions/ring.ts";
import { longestSequenceBytes, ScreenScan } from "../src/sessions/screen-scan.ts";

/** Where the output may be cut after each byte of it. */
function cuts(text: string): number[] {
  const scan = new ScreenScan(0, []);
  return Array.from(Buffer.from(text), (byte) => {
    scan.add(Uint8Array.of(byte));
    return scan.cut;
  });
}

describe("a terminal's output is cut", () => {
  it.each([
    ["between letters", "ab", [1, 2]],
    ["not inside a character", "é€😀", [0, 2, 2, 2, 5, 5, 5, 5, 9]],
    ["not inside a control sequence", "a\x1b[1;31mb", [1, 1, 1, 1, 1, 1, 1, 8, 9]],
    ["not inside a title", "\x1b]0;x\x07b", [0, 0, 0, 0, 0, 6, 7]],
    ["not inside a string that ESC \\ ends", "\x1bPq\x1b\\b", [0, 0, 0, 0, 5, 6]],
    ["not inside a choice of character set", "\x1b(Bb", [0, 0, 3, 4]],
    ["behind a sequence that was broken off", "\x1b[1\x18b", [0, 0, 0, 4, 5]],
  ])("%s", (_, text, expected) => {
    expect(cuts(text)).toEqual(expected);
  });

  it("the same however it comes in pieces", () => {
    const bytes = Buffer.from("é\x1b[?1049h\x1b]0;€\x07😀\x1b[2Jend");
    for (let at = 0; at <= bytes.length; at += 1) {
      const scan = new ScreenScan(0, []);
      scan.add(bytes.subarray(0, at));
      scan.add(bytes.subarray(at));
      expect([at, scan.cut, scan.modes]).toEqual([at, bytes.length, [[1049, true]]]);
    }
  });

  it("anywhere, if it is no text at all", () => {
    const scan = new ScreenScan(0, []);
    scan.add(Uint8Array.of(0x80, 0x81, 0x82, 0x83));
    expect(scan.cut).toBe(4);
  });

  it("somewhere, if a sequence has no end", () => {
    const scan = new ScreenScan(0, []);
    scan.add(Buffer.from("\x1b]52;"));
    scan.add(Buffer.alloc(longestSequenceBytes + 1, "x"));
    expect(scan.cut).toBe(5 + longestSequenceBytes + 1);
  });
});

describe("modes of a terminal", () => {
  it("are known as they were last set", () => {
    const scan = new ScreenScan(0, [[2004, true]]);
    scan.add(Buffer.from("\x1b[?1049;25h\x1b[?25l\x1b=\x1b[4h\x1b[?99999h"));
    expect(scan.modes).toEqual([
      [2004, true],
      [1049, true],
      [25, false],
      [66, true],
    ]);
    scan.add(Buffer.from("\x1bc"));
    expect(scan.modes).toEqual([]);
  });
});

describe("a ring of output", () => {
  it("keeps 256 KiB and gives any part of them", () => {
    const ring = new OutputRing(1000, []);
    const all: Buffer[] = [];
    for (let n = 0; n < 3000; n += 1) {
      const line = Buffer.from(`line ${n} ${"x".repeat(n % 400)}\n`);
      all.push(line);
      ring.append(line);
    }
    const written = Buffer.concat(all);
    expect(ring.end).toBe(1000 + written.length);
    expect(ring.end - ring.start).toBeGreaterThanOrEqual(ringBytes);
    expect(ring.end - ring.start).toBeLessThan(ringBytes + 1000);
    expect(Buffer.from(ring.read(ring.start, Infinity)).equals(written.subarray(ring.start - 1000))).toBe(true);
    expect(ring.has(ring.start)).toBe(true);
    expect(ring.has(1000)).toBe(false);
  });

  it("takes in more at once than it holds", () => {
    const ring = new OutputRing(0, []);
    const data = Buffer.from(Array.from({ length: 1_000_000 }, (_, n) => n % 251));
    ring.append(data);
    expect(Buffer.from(ring.read(ring.start, Infinity)).equals(data.subarray(ring.start))).toBe(true);
  });
});
