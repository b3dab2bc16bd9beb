import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { boxSpec, create, never, sh } from "./support/boxes.ts";
import { openTestHost } from "./support/host.ts";

const host = await openTestHost();
afterAll(() => host[Symbol.asyncDispose]());
const isRoot = process.getuid?.() === 0;

/** A state directory on a file system of its own, of so many MB. */
function smallStateDir(sizeMb: number): string {
  const dir = mkdtempSync(join(tmpdir(), "bs-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMb}m`, "none", dir]);
  onTestFinished(() => {
    execFileSync("umount", ["-l", dir]);
    rmSync(dir, { recursive: true });
  });
  return dir;
}

test.skipIf(!isRoot)("a full disk fails the create with its directory named, and nothing is left", async () => {
  const stateDir = smallStateDir(1);
  const engine = host.makeEngine({ stateDir });
  const spec = boxSpec(host);
  await expect(create(engine, spec)).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringMatching(new RegExp(`full at ${stateDir}/`)),
  });
  expect(await engine.listBoxes()).toEqual([]);
  const files = readdirSync(stateDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files).toEqual([]);
  await engine.close();
});

test.skipIf(!isRoot)("a host disk that fills up is an I/O error for the box's programs; the box lives on", async () => {
  const stateDir = smallStateDir(24);
  const engine = host.makeEngine({ stateDir });
  const spec = boxSpec(host);
  await create(engine, spec);
  onTestFinished(() => engine.remove(spec.id));
  // Less than the guest's kernel is willing to hold back: beyond that it lets a writer wait for a disk that never gets better.
  const fill = await sh(engine, spec.id, "dd if=/dev/urandom of=/root/big bs=1M count=28 conv=fsync 2>&1; echo ended");
  expect(fill.stdout).toMatch(/(error|read-only).*\nended/is);
  expect(await sh(engine, spec.id, "echo alive")).toMatchObject({ stdout: "alive\n" });
});

test("a box's disk takes room only for what is in it, and gives it back", async () => {
  const engine = host.makeEngine();
  const spec = boxSpec(host, { diskSizeGb: 8 });
  await create(engine, spec);
  onTestFinished(() => engine.remove(spec.id));
  const usedMb = () => (statSync(join(host.boxDir(spec.id), "disk.ext4")).blocks * 512) / 1024 ** 2;
  expect(usedMb()).toBeLessThan(150);
  await sh(engine, spec.id, "dd if=/dev/urandom of=/root/big bs=1M count=64; sync");
  const full = usedMb();
  expect(full).toBeGreaterThan(60);
  // The guest tells what it freed once its journal has that written down.
  await sh(engine, spec.id, "rm /root/big");
  const whenSynced = async () => {
    await sh(engine, spec.id, "sync");
    return usedMb();
  };
  await expect.poll(whenSynced, { timeout: 60_000, interval: 500 }).toBeLessThan(full - 50);
});

test("what a guest prints on its console takes no room on the host", async () => {
  const engine = host.makeEngine();
  const spec = boxSpec(host);
  await create(engine, spec);
  onTestFinished(() => engine.remove(spec.id));
  const files = () => readdirSync(host.boxDir(spec.id)).sort();
  const before = files();
  await sh(engine, spec.id, "dd if=/dev/zero of=/dev/console bs=1k count=300 2>/dev/null");
  expect(files()).toEqual(before);
  for (const name of before.filter((file) => !/disk|image|bulk/.test(file))) {
    const found = statSync(join(host.boxDir(spec.id), name));
    if (!found.isDirectory()) expect(found.size).toBeLessThan(4096);
  }
});

test("boxes keep working, stop and start when their image is forgotten, and it is made again for the next one", async () => {
  const engine = host.makeEngine();
  const [old, fresh] = [boxSpec(host), boxSpec(host)];
  await create(engine, old);
  onTestFinished(async () => {
    await engine.remove(old.id);
    await engine.remove(fresh.id);
  });
  const shared = () => readdirSync(join(host.stateDir, "disks"));
  expect(shared()).toHaveLength(1);
  await engine.forgetImage(host.image.digest);
  await engine.forgetImage(host.image.digest);
  expect(shared()).toEqual([]);
  expect(await sh(engine, old.id, "busybox | head -1")).toMatchObject({ code: 0 });
  await engine.stop(old.id);
  await engine.start(old, { signal: never() });
  expect(await sh(engine, old.id, "busybox | head -1")).toMatchObject({ code: 0 });
  await create(engine, fresh);
  expect(shared()).toHaveLength(1);
});
