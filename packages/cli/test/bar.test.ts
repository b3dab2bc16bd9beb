import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { amountLine, bar, duration } from "../src/output/bar.ts";
import { PullState } from "../src/output/layers.ts";
import { RateMeter } from "../src/output/rate.ts";

const ascii = { columns: 80, rows: 24, isUtf8: false };
const mb = 1_000_000;
const half = { doneBytes: 600 * mb, totalBytes: 1200 * mb, bytesPerSecond: 85 * mb };

describe("a bar", () => {
  it.each([
    [0, "----------", "──────────"],
    [0.5, "#####-----", "━━━━━─────"],
    [0.57, "#####-----", "━━━━━╸────"],
    [1, "##########", "━━━━━━━━━━"],
    [7, "##########", "━━━━━━━━━━"],
  ])("at %d", (fraction, plain, fine) => {
    expect(bar(fraction, 10, { isUtf8: false })).toBe(plain);
    expect(stripVTControlCharacters(bar(fraction, 10, { isUtf8: true }))).toBe(fine);
  });
});

describe("a line of progress", () => {
  it.each([20, 40, 60, 79, 80, 120, 300])("stays within %d columns", (columns) => {
    for (const amount of [half, { ...half, totalBytes: undefined }, { ...half, bytesPerSecond: undefined }]) {
      const line = stripVTControlCharacters(amountLine("Copying", amount, { ...ascii, columns }));
      expect(line.length).toBeLessThan(columns);
      expect(line).toContain("Copying");
    }
  });

  it("tells bytes, total, percentage, rate and time left, as far as they are known", () => {
    const tell = (change: object) => stripVTControlCharacters(amountLine("Copying", { ...half, ...change }, ascii));
    expect(tell({})).toMatch(/^Copying [#]+-+ {2}50 %\s+600 MB of 1\.2 GB {2}85\.0 MB\/s {2}7 s left$/);
    expect(tell({ totalBytes: undefined })).toMatch(/^\S Copying {2}600 MB {2}85\.0 MB\/s$/);
    expect(tell({ bytesPerSecond: undefined })).toMatch(/600 MB of 1\.2 GB$/);
    expect(tell({ bytesPerSecond: 0 })).toMatch(/0 B\/s$/);
  });
});

describe("a duration", () => {
  it.each([
    [0.2, "1 s"],
    [59.4, "59 s"],
    [125, "2 min 5 s"],
    [3785, "1 h 3 min"],
    [1e9, "days"],
  ])("of %d seconds is %s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});

describe("a rate", () => {
  it("is unknown at first, then that of the last seconds", () => {
    const meter = new RateMeter();
    expect(meter.add(0, 0)).toBeUndefined();
    expect(meter.add(1000, 1000)).toBe(1000);
    for (let second = 2; second <= 20; second += 1) meter.add(1000, second * 1000);
    expect(meter.add(1000, 21_000)).toBe(0);
  });
});

describe("a pull of more layers than the terminal has rows", () => {
  it("shows those that are under way, and how many more there are", () => {
    const state = new PullState();
    for (let layer = 0; layer < 30; layer += 1) {
      const done = layer < 20 ? 100 : 50;
      state.take({ message: "pulling", layer: `sha256:layer${layer}`, done_bytes: done, total_bytes: 100 });
    }
    state.take({ message: "pulling", done_bytes: 2500, total_bytes: 3000 });
    const lines = state.draw("Pulling x", undefined, { ...ascii, rows: 10 });
    expect(lines).toHaveLength(9);
    expect(lines[0]).toMatch(/layer20 .*50 B of 100 B/);
    expect(lines[7]).toBe("  and 23 more layers");
    expect(lines[8]).toMatch(/^Pulling x #+-+ +83 %/);
  });

  it("never passes on what a server would do to the terminal", () => {
    const state = new PullState();
    state.take({ message: "\u001b[2Jevil\r\nmore", layer: "sha256:\u001b]0;x\u0007\u009b" });
    state.take({ message: "\u001b[31mred" });
    for (const line of state.draw("Pulling x", undefined, ascii)) expect(line).not.toMatch(/\p{Cc}/u);
  });
});
