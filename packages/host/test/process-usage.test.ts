import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { processRef } from "../src/index.ts";
import { processUsage, proportionalBytes } from "../src/process-usage.ts";

test("what a process takes is counted, and nothing of one that has ended", async () => {
  const child = spawn(
    process.execPath,
    ["-e", "while (process.cpuUsage().user < 200_000); console.log('done'); setInterval(() => {}, 1000)"],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  await once(child.stdout, "data");
  const ref = processRef(child.pid ?? 0);
  if (ref === undefined) throw new Error("it has ended");
  const { cpuMs, residentBytes } = processUsage([ref]);
  expect(cpuMs).toBeGreaterThanOrEqual(100);
  expect(residentBytes).toBeGreaterThan(10 * 1024 * 1024);
  const both = processUsage([ref, ref]);
  expect(both.residentBytes).toBeGreaterThan(1.5 * residentBytes);
  const proportional = await proportionalBytes([ref]);
  expect(proportional).toBeGreaterThan(0);
  expect(proportional).toBeLessThanOrEqual(2 * residentBytes);
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  expect(processUsage([ref])).toEqual({ cpuMs: 0, residentBytes: 0 });
  // Another process that has its pid is not it.
  expect(processUsage([{ pid: process.pid, startTime: "1" }])).toEqual({ cpuMs: 0, residentBytes: 0 });
});
