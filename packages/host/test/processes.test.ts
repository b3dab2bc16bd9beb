import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { isAlive, killAll, processRef, signalProcess, waitUntilGone } from "../src/index.ts";

function sleeper() {
  const child = spawn("sleep", ["1000"], { stdio: "ignore" });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const ref = child.pid === undefined ? undefined : processRef(child.pid);
  if (ref === undefined) throw new Error("sleep did not start");
  return { child, ref };
}

test("a process is the same only with the same start time: a reused pid is never signalled", async () => {
  const { child, ref } = sleeper();
  const stranger = { pid: ref.pid, startTime: String(Number(ref.startTime) - 1) };
  expect(isAlive(ref)).toBe(true);
  expect(isAlive(stranger)).toBe(false);
  expect(signalProcess(stranger, "SIGKILL")).toBe(false);
  await killAll([stranger]);
  expect(isAlive(ref)).toBe(true);
  expect(await waitUntilGone(ref, 30)).toBe(false);
  const closed = once(child, "close");
  await killAll([ref]);
  await closed;
  expect(isAlive(ref)).toBe(false);
  expect(processRef(ref.pid)).toBeUndefined();
});
