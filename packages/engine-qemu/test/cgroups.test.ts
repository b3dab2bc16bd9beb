import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BoxCgroups, delegatedTo } from "../src/jail/cgroups.ts";

/** Files as a delegated cgroup has them; what is written to them is what the kernel would be told. */
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "bg-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function delegated(controllers: string): string {
  const path = join(dir, "delegated");
  mkdirSync(path);
  writeFileSync(join(path, "cgroup.controllers"), `${controllers}\n`);
  return path;
}

test("a box has a cgroup of its own, with limits, below the one that was delegated", async () => {
  const path = delegated("cpuset cpu io memory hugetlb pids");
  const cgroups = await BoxCgroups.open(path);
  const told = (file: string) => readFileSync(join(path, file), "utf8");
  expect(told("cgroup.subtree_control")).toBe("+cpu +memory +pids");
  expect(cgroups.how).toBe(`each box in a cgroup of its own below ${path} (cpu, memory, pids)`);
  expect(await cgroups.make("box_a", { cpu: 2, memoryMb: 512, processes: 300 })).toBe(join(path, "box_a"));
  expect(told("box_a/memory.max")).toBe(String(512 * 1024 * 1024));
  expect(told("box_a/pids.max")).toBe("300");
  expect(told("box_a/cpu.weight")).toBe("200");
});

test("what was not delegated is not used, and said", async () => {
  const path = delegated("pids");
  const cgroups = await BoxCgroups.open(path);
  expect(cgroups.how).toContain("(pids, without cpu and memory)");
  await cgroups.make("box_a", { cpu: 1, memoryMb: 512, processes: 300 });
  expect(() => readFileSync(join(path, "box_a/memory.max"))).toThrow("ENOENT");
});

test("a place that is no cgroup, or has none of the controllers, is refused with the reason", async () => {
  const none = delegated("hugetlb");
  await expect(BoxCgroups.open(none)).rejects.toThrow(/BOXRUN_CGROUP=.*none of the controllers cpu, memory, pids/);
  await expect(BoxCgroups.open(dir)).rejects.toThrow(/cgroup\.controllers/);
  await expect(BoxCgroups.open("relative")).rejects.toThrow(/neither `own` nor an absolute path/);
});

test("a box's cgroup goes with it, and one that is not there is gone", async () => {
  const path = delegated("pids");
  const cgroups = await BoxCgroups.open(path);
  mkdirSync(join(path, "box_a"));
  await cgroups.drop("box_a");
  await cgroups.drop("box_a");
  expect(() => readFileSync(join(path, "box_a/cgroup.procs"))).toThrow("ENOENT");
});

test("the cgroup that is the server's own is the one above where systemd has put it, or where it has gone itself", () => {
  expect(delegatedTo("0::/system.slice/boxrun.service\n")).toBe("/system.slice/boxrun.service");
  expect(delegatedTo("0::/system.slice/boxrun.service/server\n")).toBe("/system.slice/boxrun.service");
  expect(delegatedTo("4:memory:/x\n1:cpu:/y\n")).toBeUndefined();
});
