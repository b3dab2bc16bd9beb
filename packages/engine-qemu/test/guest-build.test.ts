import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { hashSources } from "@boxrun/guest-agent";
import { afterAll, expect, test } from "vitest";
import { characterDeviceMode, directoryMode, fileMode, writeCpio } from "../src/guest-build/cpio.ts";
import { wholePages } from "../src/guest-build/initramfs.ts";
import { loadOrder, readModules, wantedModules } from "../src/guest-build/modules.ts";
import { extractVmlinux } from "../src/guest-build/vmlinux.ts";

const allWanted = Object.values(wantedModules).flat();
const dir = mkdtempSync(join(tmpdir(), "bg-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("the archive is what busybox's cpio reads, and the same content gives the same bytes", () => {
  const entries = [
    { name: "dev", mode: directoryMode },
    { name: "dev/console", mode: characterDeviceMode, device: [5, 1] as const },
    { name: "odd", mode: fileMode, content: Buffer.from("123") },
    { name: "empty", mode: fileMode },
  ];
  const archive = writeCpio(entries);
  expect(archive.equals(writeCpio(entries))).toBe(true);
  // Major and minor number of the device, which the list doesn't show.
  expect(archive.toString("latin1")).toContain("0000000500000001");
  const listed = execFileSync("busybox", ["cpio", "-tv"], { input: archive, encoding: "utf8" });
  expect(
    listed
      .trim()
      .split("\n")
      .map((line) => line.replace(/\s+/g, " ")),
  ).toEqual([
    expect.stringMatching(/^drwxr-xr-x 0\/0 0 .* dev$/),
    expect.stringMatching(/^crw------- .* dev\/console$/),
    expect.stringMatching(/^-rw-r--r-- 0\/0 3 .* odd$/),
    expect.stringMatching(/^-rw-r--r-- 0\/0 0 .* empty$/),
  ]);
});

/** A bzImage around a payload: what is read of its header, and nothing else. */
function bzImage(payload: Buffer, size: number): Buffer {
  const header = Buffer.alloc(1024);
  header.writeUInt8(1, 0x1f1);
  header.write("HdrS", 0x202, "latin1");
  const length = Buffer.alloc(4);
  length.writeUInt32LE(size);
  header.writeUInt32LE(0, 0x248);
  header.writeUInt32LE(payload.length + 4, 0x24c);
  return Buffer.concat([header, payload, length]);
}

/** LZ4's legacy frame of "\x7fELF" + "ab" × 10 + "end": six literals, a match of 18 bytes that overlaps itself, three literals. */
function legacyLz4(): Buffer {
  const block = Buffer.concat([
    Buffer.from([0x6e]),
    Buffer.from("\x7fELFab", "latin1"),
    Buffer.from([2, 0, 0x30]),
    Buffer.from("end"),
  ]);
  const blockLength = Buffer.alloc(4);
  blockLength.writeUInt32LE(block.length);
  return Buffer.concat([Buffer.from([0x02, 0x21, 0x4c, 0x18]), blockLength, block]);
}

test("what the guest boots from is whole pages, so that it does not reach into the one that has the ACPI tables", () => {
  for (const [length, pages] of [
    [1, 1],
    [4096, 1],
    [4097, 2],
    [2 * 4096 - 1, 2],
  ] as const) {
    const packed = randomBytes(length);
    const whole = wholePages(packed);
    expect(whole).toHaveLength(pages * 4096);
    expect(whole.subarray(0, length).equals(packed)).toBe(true);
    expect(whole.subarray(length).every((byte) => byte === 0)).toBe(true);
  }
});

test("the kernel is taken out of a bzImage, packed with LZ4 or gzip", () => {
  const kernel = Buffer.from(`\x7fELF${"ab".repeat(10)}end`, "latin1");
  const lz4 = legacyLz4();
  expect(extractVmlinux(bzImage(lz4, kernel.length))?.toString("latin1")).toBe(kernel.toString("latin1"));
  expect(extractVmlinux(bzImage(gzipSync(kernel), kernel.length))?.equals(kernel)).toBe(true);
});

test("a compression that is not known leaves the bzImage to be booted as it is, and a damaged one is an error", () => {
  expect(extractVmlinux(bzImage(Buffer.from("\xfd7zXZ and so on", "latin1"), 100))).toBeUndefined();
  expect(extractVmlinux(Buffer.from("not a kernel"))).toBeUndefined();
  const wild = Buffer.from([0x02, 0x21, 0x4c, 0x18, 4, 0, 0, 0, 0x10, 0x41, 0xff, 0x7f]);
  expect(() => extractVmlinux(bzImage(wild, 50))).toThrow(/damaged/);
});

/** A kernel's module directory, with what matters of each module: the dependencies in its .modinfo. */
function modulesDir(modules: Record<string, string>, builtin: readonly string[]): string {
  const root = mkdtempSync(join(dir, "modules-"));
  mkdirSync(join(root, "kernel/drivers"), { recursive: true });
  for (const [name, depends] of Object.entries(modules)) {
    writeFileSync(join(root, `kernel/drivers/${name}.ko`), `\x7fELF\0license=GPL\0depends=${depends}\0name=x\0`);
  }
  writeFileSync(join(root, "modules.builtin"), builtin.map((name) => `kernel/${name}.ko\n`).join(""));
  return root;
}

const debian = {
  "virtio-ring": "",
  virtio: "virtio_ring",
  virtio_mmio: "virtio,virtio_ring",
  virtio_console: "virtio,virtio_ring",
  virtio_blk: "virtio",
  virtio_balloon: "virtio,virtio_ring",
  overlay: "",
  squashfs: "",
  failover: "",
  net_failover: "failover",
  virtio_net: "net-failover,virtio",
  virtio_pci: "virtio,virtio_ring",
  fuse: "",
  virtiofs: "fuse,virtio",
};

test("modules come with what they depend on, in an order in which they load; what is built in is left out", async () => {
  const modules = await readModules(modulesDir(debian, ["fs/ext4/ext4"]), allWanted);
  const early = loadOrder(wantedModules.early, modules);
  expect([...early].sort()).toEqual(["virtio", "virtio_console", "virtio_mmio", "virtio_ring"]);
  expect(early.indexOf("virtio_ring")).toBeLessThan(early.indexOf("virtio"));
  expect(early.indexOf("virtio")).toBeLessThan(early.indexOf("virtio_mmio"));
  const network = loadOrder(wantedModules.network, modules);
  expect(network.indexOf("failover")).toBeLessThan(network.indexOf("net_failover"));
  expect(network.at(-1)).toBe("virtio_net");
  expect([...modules.keys()]).not.toContain("ext4");
});

test("a kernel that lacks a module is refused by name", async () => {
  await expect(readModules(modulesDir(debian, []), allWanted)).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringContaining("has no module ext4"),
  });
});

test("the key of a build changes with names and contents of its sources, and not with its tests", async () => {
  const source = join(dir, "go");
  mkdirSync(join(source, "cmd"), { recursive: true });
  writeFileSync(join(source, "go.mod"), "module x");
  writeFileSync(join(source, "cmd/main.go"), "package main");
  const first = await hashSources([source], "seed");
  writeFileSync(join(source, "cmd/main_test.go"), "package main");
  writeFileSync(join(source, "notes.txt"), "nothing");
  expect(await hashSources([source], "seed")).toBe(first);
  expect(await hashSources([source], "another")).not.toBe(first);
  writeFileSync(join(source, "cmd/main.go"), "package main // changed");
  const second = await hashSources([source], "seed");
  expect(second).not.toBe(first);
  writeFileSync(join(source, "cmd/other.go"), "");
  expect(await hashSources([source], "seed")).not.toBe(second);
});
