import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@boxrun/core";
import { boxDirVariable } from "@boxrun/host";
import { expect, onTestFinished, test } from "vitest";
import { readyKey, templateKey } from "../src/templates/key.ts";
import { TemplateStore, templateFiles } from "../src/templates/store.ts";
import { Templates } from "../src/templates/templates.ts";
import { boxDisks, type VmShape } from "../src/vm/command-line.ts";

const mib = 1 << 20;

function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), "bts-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Puts a template of 1 MiB into the store, last used so many minutes ago. */
async function put(store: TemplateStore, key: string, minutesAgo: number): Promise<void> {
  const scratch = await store.scratch();
  writeFileSync(join(scratch, templateFiles.memory), Buffer.alloc(mib, 1));
  // Sparse: what a guest never touched takes no room.
  truncateSync(join(scratch, templateFiles.memory), 1024 * mib);
  writeFileSync(join(scratch, templateFiles.state), "state");
  await store.keep(scratch, key);
  const usedAt = new Date(Date.now() - minutesAgo * 60_000);
  utimesSync(join(store.path(key), templateFiles.used), usedAt, usedAt);
}

test("beyond the limit the templates go that were used least recently, and what is in use stays", async () => {
  const store = new TemplateStore(temporary(), 3.5 * mib);
  await put(store, "old", 30);
  await put(store, "older", 60);
  await put(store, "recent", 10);
  expect(await Promise.all(["old", "older", "recent"].map((key) => store.has(key)))).toEqual([true, true, true]);
  await store.touch("older");
  await put(store, "new", 0);
  expect(await Promise.all(["old", "older", "recent", "new"].map((key) => store.has(key)))).toEqual([
    false,
    true,
    true,
    true,
  ]);
});

test("one template alone may be larger than the limit: it is not made again and again", async () => {
  const store = new TemplateStore(temporary(), 1);
  await put(store, "first", 1);
  await put(store, "second", 0);
  expect([await store.has("first"), await store.has("second")]).toEqual([false, true]);
});

/** What a box that was resumed from it knows of it. */
async function known(store: TemplateStore, key: string) {
  return { key, identity: (await store.identity(key)) ?? "" };
}

test("where two servers make the same template, the first one's stays", async () => {
  const dir = temporary();
  const [one, other] = [new TemplateStore(dir, 100 * mib), new TemplateStore(dir, 100 * mib)];
  await put(one, "same", 0);
  const { ino } = await stat(one.path("same"));
  await put(other, "same", 0);
  expect((await stat(one.path("same"))).ino).toBe(ino);
});

test("what a server that was killed has left half made goes, its VM too; what another one is making stays", async () => {
  const dir = temporary();
  const store = new TemplateStore(dir, 100 * mib);
  const mine = await store.scratch();
  // Of a process that there was before this one had its pid.
  const left = join(dir, "templates", `.new-${process.pid}-1-abcdef`);
  await mkdir(left);
  const vm = spawn("sleep", ["1000"], { env: { ...process.env, [boxDirVariable]: left }, stdio: "ignore" });
  await once(vm, "spawn");
  const ended = once(vm, "exit");
  await store.clearLeftovers();
  expect(await ended).toEqual([null, "SIGKILL"]);
  expect([existsSync(left), existsSync(mine)]).toEqual([false, true]);
});

test("a template is another's as soon as anything differs that its VM depends on, and is that of all boxes with the same", async () => {
  const dir = temporary();
  await mkdir(dir, { recursive: true });
  const qemu = join(dir, "qemu");
  writeFileSync(qemu, "one version");
  const shape: VmShape = {
    accelerator: "tcg",
    cpu: 1,
    memoryMb: 256,
    tscKhz: 2_000_000,
    kernel: "/guest/1/vmlinuz",
    initramfs: "/guest/1/initramfs",
    disks: boxDisks,
    network: undefined,
    volumes: undefined,
    name: "boxrun-box_1",
  };
  const key = await templateKey(shape, qemu);
  // Measured anew by each server, and told by none.
  expect(await templateKey({ ...shape, name: "boxrun-box_2", tscKhz: 2_000_001 }, qemu)).toBe(key);
  // How many it is connected to does not matter.
  expect(await templateKey({ ...shape, volumes: 3 }, qemu)).toBe(await templateKey({ ...shape, volumes: 1 }, qemu));
  const changes: Partial<VmShape>[] = [
    { accelerator: "kvm" },
    { cpu: 2 },
    { memoryMb: 512 },
    { kernel: "/guest/2/vmlinuz" },
    { initramfs: "/guest/2/initramfs" },
    { network: { mac: "02:00:00:00:00:01" } },
    { volumes: 1 },
  ];
  const others = await Promise.all(changes.map((change) => templateKey({ ...shape, ...change }, qemu)));
  writeFileSync(qemu, "another version of it");
  others.push(await templateKey(shape, qemu));
  expect(new Set([key, ...others]).size).toBe(changes.length + 2);
});

test("a template that is late now and then stays; one that is late again and again goes, and a broken one at once", async () => {
  const dir = temporary();
  const store = new TemplateStore(dir, 100 * mib);
  const templates = new Templates({ cacheDir: dir, limitBytes: 100 * mib, logger: silentLogger });
  onTestFinished(() => templates.close());
  await put(store, "slow", 0);
  await put(store, "broken", 0);
  const [slow, broken] = [await known(store, "slow"), await known(store, "broken")];
  const late = () => templates.failed(slow, new Error("no answer"), { isLate: true });
  await late();
  await late();
  templates.worked("slow");
  await late();
  await late();
  expect(await store.has("slow")).toBe(true);
  await late();
  expect(await store.has("slow")).toBe(false);
  await templates.failed(broken, new Error("QEMU can't read it"), { isLate: false });
  expect(await store.has("broken")).toBe(false);
});

test("a template that failed goes, and not what another server has made in its place meanwhile", async () => {
  const dir = temporary();
  const store = new TemplateStore(dir, 100 * mib);
  const templates = new Templates({ cacheDir: dir, limitBytes: 100 * mib, logger: silentLogger });
  onTestFinished(() => templates.close());
  await put(store, "one", 0);
  const broken = await known(store, "one");
  await store.remove("one");
  await put(store, "one", 0);
  const successor = await store.identity("one");
  await templates.failed(broken, new Error("QEMU can't read it"), { isLate: false });
  expect(await store.identity("one")).toBe(successor);
  expect(readdirSync(join(dir, "templates"))).toEqual(["one"]);
});

test("a template that is ready is one of its shape, its image's layout and its disk's size", () => {
  const contents = {
    image: { file: "/state/disks/1.squashfs", layout: "sha256:1 tables" },
    diskSizeGb: 8,
  };
  const key = readyKey("bare", contents);
  expect(readyKey("bare", { ...contents, image: { ...contents.image, file: "/elsewhere/1.squashfs" } })).toBe(key);
  const others = [
    readyKey("another", contents),
    readyKey("bare", { ...contents, diskSizeGb: 9 }),
    readyKey("bare", { ...contents, image: { ...contents.image, layout: "sha256:1 other tables" } }),
  ];
  expect(new Set([key, ...others]).size).toBe(4);
});
