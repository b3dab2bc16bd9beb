import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@boxrun/core";
import { findBoxProcesses, killAll, processRef } from "@boxrun/host";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { spawnDetached } from "../src/host/detached.ts";
import { waitUntilListening } from "../src/host/listening.ts";
import { createQemuEngine, locateGuest } from "../src/index.ts";
import { readVmRecord, writeVmRecord } from "../src/vm/record.ts";

const dir = mkdtempSync(join(tmpdir(), "bh-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function sleeper() {
  const child = spawn("sleep", ["1000"], { stdio: "ignore" });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const ref = child.pid === undefined ? undefined : processRef(child.pid);
  if (ref === undefined) throw new Error("sleep did not start");
  return { child, ref };
}

test("a process of a box is found by the box's directory, and one of a box with a longer name is not", async () => {
  const boxDir = join(dir, "box_a");
  const { mkdirSync } = await import("node:fs");
  mkdirSync(boxDir);
  mkdirSync(`${boxDir}b`);
  const mine = await spawnDetached("sleep", ["1000"], boxDir);
  const other = await spawnDetached("sleep", ["1000"], `${boxDir}b`);
  expect(await findBoxProcesses(boxDir)).toEqual([mine.ref]);
  await killAll([mine.ref, other.ref]);
  expect(await mine.ended).toBe("was killed by SIGKILL");
  expect(await findBoxProcesses(boxDir)).toEqual([]);
});

test("a helper that ends instead of listening fails with its last words", async () => {
  const helper = await spawnDetached("sh", ["-c", "echo no such luck >&2; exit 3"], dir);
  await expect(
    waitUntilListening("the helper", join(dir, "never.sock"), helper, new AbortController().signal),
  ).rejects.toMatchObject({ code: "RUNTIME_ERROR", message: "start the helper: it ended with 3: no such luck" });
});

test("a listening socket is seen without connecting to it", async () => {
  const path = join(dir, "with space.sock");
  let connections = 0;
  const server = createServer(() => connections++);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => new Promise((resolve) => server.close(() => resolve())));
  const { child, ref } = sleeper();
  const process = { ref, ended: once(child, "close").then(() => "") };
  await waitUntilListening("the helper", path, process, new AbortController().signal);
  expect(connections).toBe(0);
});

test("a program that is not there is RUNTIME_ERROR with its name", async () => {
  await expect(spawnDetached("/nonexistent/qemu", [], dir)).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringContaining("/nonexistent/qemu"),
  });
});

test("a VM's record comes back as it was written; a damaged one, and one from before the host's boot, are none", async () => {
  const record = {
    qemu: { pid: 1, startTime: "2" },
    helpers: [{ pid: 3, startTime: "4" }],
    guestBootId: "0".repeat(32),
  };
  await writeVmRecord(dir, record);
  expect(await readVmRecord(dir)).toMatchObject(record);
  const file = join(dir, "vm.json");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/"hostBootId":"[^"]*"/, '"hostBootId":"earlier"'));
  expect(await readVmRecord(dir)).toBeUndefined();
  writeFileSync(file, text.slice(0, -5));
  expect(await readVmRecord(dir)).toBeUndefined();
});

test("a state directory whose path is too long for sockets is refused at once, and says so", () => {
  const stateDir = join(dir, "x".repeat(80));
  expect(() => createQemuEngine({ stateDir, cacheDir: dir, logger: silentLogger })).toThrow(
    /bytes too long for the Unix sockets/,
  );
});

test("without a built guest the engine says what to run", async () => {
  expect(() => locateGuest(join(dir, "empty"))).toThrow(/npm run setup/);
  const engine = createQemuEngine({ stateDir: join(dir, "s"), cacheDir: join(dir, "empty"), logger: silentLogger });
  expect(await engine.describe()).toMatchObject({ ready: false, why: expect.stringContaining("npm run setup") });
  await engine.close();
});

test("a program that was missing is there for a running server once it is installed", async () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  const engine = createQemuEngine({ stateDir: join(dir, "s"), cacheDir: join(dir, "empty"), logger: silentLogger });
  vi.stubEnv("PATH", dir);
  const program = join(dir, "qemu-system-x86_64");
  expect(await engine.describe()).toMatchObject({ why: expect.stringContaining("qemu-system-x86_64 is missing") });
  writeFileSync(program, "#!/bin/sh\n", { mode: 0o755 });
  // The next that is missing.
  expect(await engine.describe()).toMatchObject({ why: expect.stringContaining("npm run setup") });
  rmSync(program);
  await engine.close();
});

test("a box id that is no file name never reaches the disk", async () => {
  const engine = createQemuEngine({ stateDir: join(dir, "s"), cacheDir: dir, logger: silentLogger });
  for (const id of ["../x", "a/b", "..", "", "a\0b", "x".repeat(200)]) {
    await expect(engine.remove(id)).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
  }
  await engine.close();
});
