import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { lockStateDir } from "../src/index.ts";
import { temporaryDir, thrownBy } from "./support/fixtures.ts";

async function startHolder(dir: string): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "support/lock-holder.ts"), dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const [said] = await once(createInterface({ input: child.stdout }), "line");
  return { child, said: String(said) };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}

test("a second process is refused and told which process has the directory", async () => {
  const dir = temporaryDir();
  const { child, said } = await startHolder(dir);
  expect(said).toBe("locked");
  expect(thrownBy(() => lockStateDir(dir))).toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringMatching(new RegExp(`${dir}: the BoxRun server with pid ${child.pid} .*kill ${child.pid}`)),
    details: { state_dir: dir, pid: child.pid },
  });
});

test("of five that start at once one gets it, and the others name it", async () => {
  const dir = temporaryDir();
  const holders = await Promise.all(Array.from({ length: 5 }, () => startHolder(dir)));
  const winners = holders.filter(({ said }) => said === "locked");
  expect(winners).toHaveLength(1);
  const losers = holders.filter(({ said }) => said !== "locked");
  for (const { said } of losers) expect(said).toContain(`pid ${winners[0]?.child.pid}`);
});

test("the same process can't take it twice, until it has released it", () => {
  const dir = temporaryDir();
  const lock = lockStateDir(dir);
  expect(thrownBy(() => lockStateDir(dir))).toMatchObject({ details: { pid: process.pid } });
  lock.release();
  lock.release();
  expect(existsSync(join(dir, "server.json"))).toBe(false);
  lockStateDir(dir).release();
});

test.each(["SIGKILL", "SIGTERM"] as const)("after %s of the holder it is free at once", async (signal) => {
  const dir = temporaryDir();
  const { child } = await startHolder(dir);
  await end(child, signal);
  using lock = lockStateDir(dir);
  expect(lock.stateDir).toBe(dir);
  expect(JSON.parse(readFileSync(join(dir, "server.json"), "utf8"))).toMatchObject({ pid: process.pid });
});

test("a child that the holder started does not keep it when the holder is gone", async () => {
  const dir = temporaryDir();
  const program =
    `import { spawn } from "node:child_process"; import { lockStateDir } from ${JSON.stringify(join(import.meta.dirname, "../src/index.ts"))};` +
    `lockStateDir(${JSON.stringify(dir)}); const c = spawn("sleep", ["60"], { stdio: "ignore", detached: true });` +
    "console.log(c.pid); setInterval(() => undefined, 60_000);";
  const holder = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    holder.kill("SIGKILL");
  });
  const [grandchild] = await once(createInterface({ input: holder.stdout }), "line");
  onTestFinished(() => {
    process.kill(Number(grandchild), "SIGKILL");
  });
  await end(holder, "SIGKILL");
  process.kill(Number(grandchild), 0);
  lockStateDir(dir).release();
});

test("what a killed holder left is not taken for the holder, even when its pid lives on as another process", async () => {
  const dir = temporaryDir();
  const { child } = await startHolder(dir);
  const stale = { pid: process.pid, started_at: "2020-01-01T00:00:00.000Z", start_ticks: "1" };
  writeFileSync(join(dir, "server.json"), JSON.stringify(stale));
  const error = thrownBy(() => lockStateDir(dir));
  expect(error).toMatchObject({ message: expect.stringMatching(/another process holds .*lock/) });
  expect(error).not.toMatchObject({ details: { pid: expect.anything() } });
  await end(child, "SIGKILL");
});

test("both files are for their owner alone", () => {
  const dir = temporaryDir();
  using lock = lockStateDir(dir);
  for (const name of ["lock", "server.json"]) expect(statSync(join(lock.stateDir, name)).mode & 0o777).toBe(0o600);
});

test("a directory that isn't there, and a lock file that is something else, are named", () => {
  const dir = temporaryDir();
  const missing = join(dir, "missing");
  expect(thrownBy(() => lockStateDir(missing))).toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringContaining(join(missing, "lock")),
  });
  writeFileSync(join(dir, "lock"), "x".repeat(4096));
  expect(thrownBy(() => lockStateDir(dir))).toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringContaining(join(dir, "lock")),
  });
});
