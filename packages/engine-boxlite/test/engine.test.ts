import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@boxrun/core";
import { afterAll, expect, test } from "vitest";
import { createBoxLiteEngine } from "../src/index.ts";

const dir = mkdtempSync(join(tmpdir(), "be-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("a state directory whose path is too long for sockets is refused at once, and says so", () => {
  const stateDir = join(dir, "x".repeat(80));
  expect(() => createBoxLiteEngine({ stateDir, cacheDir: dir, logger: silentLogger })).toThrow(
    /bytes too long for the Unix sockets/,
  );
});

test("without a built agent, or without the native module, it is not ready and says what to run", async () => {
  const engine = createBoxLiteEngine({ stateDir: join(dir, "s"), cacheDir: join(dir, "empty"), logger: silentLogger });
  expect(await engine.describe()).toMatchObject({
    accelerator: "none",
    ready: false,
    why: expect.stringMatching(/npm (run setup|install)/),
  });
  await engine.close();
});

test("a box id that is no file name never reaches the disk", async () => {
  const engine = createBoxLiteEngine({ stateDir: join(dir, "s"), cacheDir: dir, logger: silentLogger });
  for (const id of ["../x", "a/b", "..", "", "a\0b", "x".repeat(200)]) {
    await expect(engine.remove(id)).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
  }
  await engine.close();
});
