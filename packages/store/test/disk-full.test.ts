import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Store } from "@boxrun/core";
import { describe, expect, onTestFinished, test } from "vitest";
import { openStore } from "../src/index.ts";
import { temporaryDir, thrownBy } from "./support/fixtures.ts";
import { box, exec, line, stored, succeeded } from "./support/records.ts";

/** A tmpfs of that size; needs root. */
function tinyDisk(kib: number): string {
  const dir = temporaryDir();
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${kib}k`, "tmpfs", dir]);
  onTestFinished(() => {
    execFileSync("umount", ["-l", dir]);
  });
  return dir;
}

function openWithTwoExecs(dir: string): Store {
  const store = openStore({ path: join(dir, "boxrun.db") });
  onTestFinished(() => store.close());
  store.boxes.insert(box("box_1"));
  store.execs.insert(exec("exec_big", "box_1"));
  store.execs.insert(exec("exec_small", "box_1"));
  return store;
}

const everything = Number.MAX_SAFE_INTEGER;
const megabyte = "x".repeat(1024 * 1024);

describe.skipIf(process.getuid?.() !== 0)("a full disk (root only: it mounts a small tmpfs)", () => {
  test("is named when the database is opened", () => {
    const dir = tinyDisk(16);
    const path = join(dir, "boxrun.db");
    writeFileSync(join(dir, "filler"), Buffer.alloc(12 * 1024));
    expect(thrownBy(() => openStore({ path }))).toMatchObject({
      code: "RUNTIME_ERROR",
      message: expect.stringMatching(new RegExp(`${path}.*(free space|free some space)`)),
    });
  });

  test("rejects the write that does not fit and keeps the others of the same batch, in order", async () => {
    const store = openWithTwoExecs(tinyDisk(1024));
    const outcomes = await Promise.allSettled([
      store.output.append("exec_small", [line("a")], stored(1)),
      store.output.append("exec_big", [line(megabyte)], stored(megabyte.length)),
      store.output.append("exec_small", [line("b")], stored(2)),
      store.output.finish("exec_small", succeeded),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    expect(outcomes[1]).toMatchObject({
      reason: { code: "RUNTIME_ERROR", message: expect.stringMatching(/Cannot store output.*full/) },
    });
    expect(store.output.read("exec_small", 0, everything).map(({ seq, data }) => [seq, data])).toEqual([
      [1, "a"],
      [2, "b"],
      [3, '{"exit_code":0}'],
    ]);
    expect(store.output.read("exec_big", 0, everything)).toEqual([]);
    expect(store.output.progress("exec_big")).toEqual(stored(0));
  });

  test("never stores what an exec wrote behind a write that was lost, so that no hole looks whole", async () => {
    const store = openWithTwoExecs(tinyDisk(1024));
    const outcomes = await Promise.allSettled([
      store.output.append("exec_big", [line("before")], stored(6)),
      store.output.append("exec_big", [line(megabyte)], stored(6 + megabyte.length)),
      store.output.append("exec_big", [line("behind")], stored(12 + megabyte.length)),
      store.output.finish("exec_big", succeeded),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "rejected"]);
    expect(store.output.read("exec_big", 0, everything)).toMatchObject([{ seq: 1, data: "before" }]);
    expect(store.output.progress("exec_big")).toEqual(stored(6));
    expect(store.execs.get("exec_big")?.status).toBe("running");
  });

  test("does not stop later writes once there is room again", async () => {
    const dir = tinyDisk(4096);
    const store = openWithTwoExecs(dir);
    const filler = join(dir, "filler");
    try {
      writeFileSync(filler, Buffer.alloc(8 * 1024 * 1024));
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    }
    await expect(store.output.append("exec_big", [line(megabyte)], stored(megabyte.length))).rejects.toMatchObject({
      code: "RUNTIME_ERROR",
    });
    rmSync(filler);
    await store.output.append("exec_big", [line(megabyte)], stored(megabyte.length));
    expect(store.output.read("exec_big", 0, everything)).toHaveLength(1);
    expect(store.output.progress("exec_big")).toEqual(stored(megabyte.length));
  });
});
