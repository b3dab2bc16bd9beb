import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openLog } from "../src/logger.ts";

it("a log that is long gives way to a new one, and the one before it is kept", () => {
  const dir = mkdtempSync(join(tmpdir(), "boxrun-log-"));
  try {
    const file = join(dir, "server.log");
    const maxBytes = 4096;
    const { logger, close } = openLog({ level: "info", file, maxBytes });
    for (let number = 0; number < 200; number += 1) logger.info({ number }, "a line");
    close();
    const [newest, before] = [file, `${file}.1`].map((path) => readFileSync(path, "utf8"));
    expect(readdirSync(dir).toSorted()).toEqual(["server.log", "server.log.1"]);
    for (const path of [file, `${file}.1`]) {
      expect(statSync(path).size).toBeLessThan(maxBytes + 200);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
    const numbers = `${before}${newest}`
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line).number);
    expect(numbers).toEqual(Array.from(numbers, (_, index) => 200 - numbers.length + index));
    expect(numbers.length).toBeGreaterThan(20);
    // As it was found: one that a server before has filled.
    const next = openLog({ level: "info", file, maxBytes: 1 });
    next.logger.info("first");
    next.logger.info("second");
    next.close();
    expect(readFileSync(`${file}.1`, "utf8")).toContain("second");
  } finally {
    rmSync(dir, { recursive: true });
  }
});

it("a log that is closed has all that was said before, and takes what comes later without a word", () => {
  const dir = mkdtempSync(join(tmpdir(), "boxrun-log-"));
  try {
    const file = join(dir, "server.log");
    const { logger, close } = openLog({ level: "info", file });
    logger.child({ part: "http" }).info("before");
    close();
    logger.info("a connection that ended after all others");
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines.map((line): unknown => JSON.parse(line))).toMatchObject([{ part: "http", msg: "before" }]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
