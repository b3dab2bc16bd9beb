import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { hasHostService } from "../src/index.ts";

test("a host has a service of its own once it is enabled, wherever its unit is", () => {
  const etc = mkdtempSync(join(tmpdir(), "bh-etc-"));
  onTestFinished(() => rmSync(etc, { recursive: true }));
  const wants = join(etc, "systemd/system/multi-user.target.wants");
  mkdirSync(wants, { recursive: true });
  expect(hasHostService(etc)).toBe(false);
  symlinkSync("/usr/lib/systemd/system/boxrun.service", join(wants, "boxrun.service"));
  expect(hasHostService(etc)).toBe(true);
});
