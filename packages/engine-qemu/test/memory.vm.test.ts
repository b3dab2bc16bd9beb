import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  createReadStream,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { type BoxSpec, type Engine, type Logger, silentLogger } from "@boxrun/core";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { locateGuest } from "../src/guest-build/locate.ts";
import { volumeSupport } from "../src/volumes/virtiofsd.ts";
import { boxSpec, create, sh } from "./support/boxes.ts";
import { openTestHost } from "./support/host.ts";

const host = await openTestHost();
afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

const mb = 1024 * 1024;
const memoryMb = 640;
/** What a box keeps in its memory of the files that it has worked with. */
const workMb = 200;
/** What is the box's own for good then: translated code and QEMU's heap, and what of the guest's memory is too scattered to be given back. */
const restMb = 130;

const resident = async (engine: Engine, boxId: string) =>
  (await engine.usage?.(boxId, { guest: false, proportional: false }))?.host.residentBytes ?? Number.NaN;

const work = `dd if=/dev/urandom of=/root/a bs=1M count=${workMb / 2} 2> /dev/null; cp /root/a /root/b; head -c ${5 * mb} /dev/urandom > /dev/shm/c`;
/** Of files on its disk, and of what programs have in memory. */
const sums = "md5sum /root/a /root/b /dev/shm/c";

/** Has a box take much memory and then no longer need it: the host has it back, and what the box has is as it was. */
async function expectGivenBack(engine: Engine, boxId: string): Promise<void> {
  const before = await resident(engine, boxId);
  const { stdout } = await sh(engine, boxId, `${work}; ${sums}`);
  const [first = "", copy] = stdout.split("\n");
  expect(copy).toBe(first.replace("/root/a", "/root/b"));
  expect(first).toMatch(/^[0-9a-f]{32} /);
  expect(await resident(engine, boxId)).toBeGreaterThan(before + (workMb - 30) * mb);
  // The guest's kernel would write it to the disk within half a minute.
  await sh(engine, boxId, "sync");
  await engine.reclaimMemory?.(boxId);
  // The agent is through with it.
  const open = await sh(engine, boxId, "ls -l /proc/1/fd");
  expect(open.stdout).toContain("/dev/vport");
  expect(open.stdout).not.toContain("memory.reclaim");
  const soon = { timeout: 60_000, interval: 500 };
  await expect.poll(() => resident(engine, boxId), soon).toBeLessThan(before + restMb * mb);
  expect((await sh(engine, boxId, sums)).stdout).toBe(stdout);
  // What programs give up is free at once, and given back without a word from the host.
  const zeros = `dd if=/dev/zero of=/dev/shm/d bs=1M count=${workMb} 2> /dev/null; md5sum < /dev/shm/d`;
  const { stdout: sum } = await sh(engine, boxId, `rm /root/a /root/b; ${zeros}`);
  expect(sum).toBe(
    `${createHash("md5")
      .update(Buffer.alloc(workMb * mb))
      .digest("hex")}  -\n`,
  );
  expect(await resident(engine, boxId)).toBeGreaterThan(before + (workMb - 30) * mb);
  await sh(engine, boxId, "rm /dev/shm/d");
  await expect.poll(() => resident(engine, boxId), soon).toBeLessThan(before + restMb * mb);
}

const commandLine = (boxId: string) => readFileSync(`/proc/${host.qemuPid(boxId)}/cmdline`, "utf8");

/** The template that a box goes on from, as a file. */
function templateOf(boxId: string): string | undefined {
  const dir = `/proc/${host.qemuPid(boxId)}/fd`;
  return readdirSync(dir)
    .map((name) => join(dir, name))
    .find((file) => readlinkSync(file).includes("boxrun-template"));
}

async function sumOf(file: string): Promise<number> {
  let sum = 0;
  for await (const piece of createReadStream(file, { highWaterMark: mb })) sum = crc32(piece, sum);
  return sum;
}

/** Creates boxes until there are two that go on from one template. */
async function twoOfOneTemplate(engine: Engine): Promise<readonly [BoxSpec, BoxSpec]> {
  const seen = new Map<number, BoxSpec>();
  for (let nth = 0; nth < 6; nth += 1) {
    const spec = boxSpec(host, { memoryMb });
    await create(engine, spec);
    const template = templateOf(spec.id);
    const inode = template === undefined ? undefined : statSync(template).ino;
    const other = inode === undefined ? undefined : seen.get(inode);
    if (other !== undefined) return [other, spec];
    if (inode === undefined) await engine.remove(spec.id);
    else seen.set(inode, spec);
  }
  throw new Error("no two of six boxes go on from one template");
}

test("a box that was resumed gives back memory that it no longer uses; another of the same template, and the template, stay as they were", async () => {
  const warnings: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => warnings.push(fields) };
  const engine = host.makeEngine({ logger });
  const [box, sibling] = await twoOfOneTemplate(engine);
  const template = templateOf(box.id) ?? "";
  const ofTemplate = await sumOf(template);
  const heldBytes = statSync(template).blocks * 512;
  const keep = `head -c ${20 * mb} /dev/urandom > /dev/shm/kept; md5sum /dev/shm/kept`;
  const kept = (await sh(engine, sibling.id, keep)).stdout;

  await expectGivenBack(engine, box.id);
  expect(await sumOf(template)).toBe(ofTemplate);
  // Memory that the template has nothing of is the box's own from the first: it does not become the template's too.
  expect(statSync(template).blocks * 512).toBeLessThan(heldBytes + 20 * mb);
  expect((await sh(engine, sibling.id, "md5sum /dev/shm/kept")).stdout).toBe(kept);
  expect(warnings).toEqual([]);
  for (const id of await engine.listBoxes()) await engine.remove(id);
  await engine.close();
});

test("a box that was booted gives back memory, too", async () => {
  const engine = host.makeEngine({ templateCacheMb: 0 });
  const spec = boxSpec(host, { memoryMb });
  await create(engine, spec);
  await expectGivenBack(engine, spec.id);
  await engine.remove(spec.id);
  await engine.close();
});

test("a box with volumes gives back memory, too, and its volumes work on", async ({ skip }) => {
  const engine = host.makeEngine();
  const support = await volumeSupport();
  if (support.kind === "none") skip(support.why);
  const hostPath = mkdtempSync(join(tmpdir(), "bqm-"));
  onTestFinished(() => rmSync(hostPath, { recursive: true, force: true }));
  writeFileSync(join(hostPath, "file"), "x".repeat(3 * mb));
  const volumes = [{ hostPath, guestPath: "/vol", readonly: false }];
  const specs = [1, 2].map(() => boxSpec(host, { memoryMb, volumes }));
  for (const spec of specs) await create(engine, spec);
  const { id = "" } = specs[1] ?? {};
  expect(commandLine(id)).toContain("-incoming");
  await expectGivenBack(engine, id);
  expect((await sh(engine, id, "cp /vol/file /vol/copy && cmp /vol/file /vol/copy")).code).toBe(0);
  for (const spec of specs) await engine.remove(spec.id);
  await engine.close();
});

test("where no memory can be mapped into QEMU, QEMU maps the template's, the log says once what is lost, and no box boots for it", async () => {
  const cacheDir = mkdtempSync(join(tmpdir(), "bqm-cache-"));
  const bin = mkdtempSync(join(tmpdir(), "bqm-bin-"));
  const path = process.env.PATH ?? "";
  onTestFinished(() => {
    process.env.PATH = path;
    for (const dir of [cacheDir, bin]) rmSync(dir, { recursive: true, force: true });
  });
  const { hostHelper, dir } = locateGuest(host.cacheDir);
  cpSync(join(host.cacheDir, "guest", "current.json"), join(cacheDir, "guest", "current.json"));
  cpSync(dir, join(cacheDir, "guest", basename(dir)), { recursive: true, preserveTimestamps: true });
  program(join(cacheDir, "guest", basename(dir)), "boxrun-host", [
    'if [ "$1" = place ]; then echo "no such permission" >&2; exit 1; fi',
    `exec '${hostHelper}' "$@"`,
  ]);
  // In a jail it could be no script.
  program(bin, "bwrap", ["exit 1"]);
  process.env.PATH = `${bin}${delimiter}${path}`;
  const warnings: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => warnings.push(fields) };
  const engine = host.makeEngine({ logger, cacheDir });
  const [box, sibling] = await twoOfOneTemplate(engine);
  for (const { id } of [box, sibling]) expect(commandLine(id)).toMatch(/memory-backend-file,id=ram,.*-incoming/s);
  expect(warnings).toEqual([
    { err: expect.objectContaining({ message: expect.stringContaining("no such permission") }) },
  ]);

  const template = templateOf(box.id) ?? "";
  const ofTemplate = await sumOf(template);
  const { stdout } = await sh(engine, box.id, `${work}; ${sums}; sync`);
  await engine.reclaimMemory?.(box.id);
  // What the guest gives back is not given back. Nothing tells that but that time goes by: it is the guest's kernel that waits 2 s.
  await sleep(4000);
  expect((await sh(engine, box.id, sums)).stdout).toBe(stdout);
  expect(await sumOf(template)).toBe(ofTemplate);
  expect((await sh(engine, sibling.id, "echo here")).stdout).toBe("here\n");
  for (const id of await engine.listBoxes()) await engine.remove(id);
  await engine.close();
});

function program(dir: string, name: string, lines: readonly string[]): void {
  rmSync(join(dir, name), { force: true });
  writeFileSync(join(dir, name), ["#!/bin/sh", ...lines, ""].join("\n"));
  chmodSync(join(dir, name), 0o755);
}
