import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { checkVolume, optionsOf } from "../src/volumes.ts";

const open = mkdtempSync(join(tmpdir(), "bv-"));
chmodSync(open, 0o755);
afterAll(() => rmSync(open, { recursive: true, force: true }));

const check = (hostPath: string, readonly = false) =>
  checkVolume({ hostPath, guestPath: "/data", readonly }, "box_volume");

describe("a volume of a BoxLite box, where root in it can make setuid programs", () => {
  test("that others can enter is refused for writing, with what to do, and taken read-only", async () => {
    const shared = join(open, "shared");
    // The box may open it: its own mode keeps nobody out.
    mkdirSync(shared, { mode: 0o700 });
    await expect(check(shared)).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
      message: expect.stringMatching(
        /shared with box box_volume, .*setuid.*read-only, .*chmod 700.*nosuid and nodev.*qemu/,
      ),
    });
    await check(shared, true);
  });

  test("below a directory that its owner alone can enter is taken for writing", async () => {
    const closed = join(open, "closed");
    mkdirSync(join(closed, "deep/shared"), { recursive: true });
    chmodSync(closed, 0o700);
    await check(join(closed, "deep/shared"));
  });

  test("that is not there is named", async () => {
    await expect(check(join(open, "missing"), true)).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
  });
});

test("a path's mount is the innermost one, and of several at one place the last", () => {
  const mountinfo = [
    "1 0 8:1 / / rw,relatime - ext4 /dev/vda rw",
    "2 1 0:20 / /data rw,nosuid,nodev - tmpfs tmpfs rw",
    "3 1 0:21 / /data\\040two rw,nosuid - tmpfs tmpfs rw",
    "4 2 0:22 / /data/in ro - tmpfs tmpfs rw",
    "5 2 0:23 / /data/in rw,nodev - tmpfs tmpfs rw",
    "",
  ].join("\n");
  const options = (path: string) => optionsOf(path, mountinfo).join();
  expect(options("/etc")).toBe("rw,relatime");
  expect(options("/data")).toBe("rw,nosuid,nodev");
  expect(options("/data/x")).toBe("rw,nosuid,nodev");
  expect(options("/database")).toBe("rw,relatime");
  expect(options("/data two/x")).toBe("rw,nosuid");
  expect(options("/data/in/x")).toBe("rw,nodev");
});
