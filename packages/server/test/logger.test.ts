import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openLog } from "../src/logger.ts";

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
