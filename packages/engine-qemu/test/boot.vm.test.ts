import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type Logger, silentLogger } from "@boxrun/core";
import { locateTool } from "@boxrun/host";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { boxFiles } from "../src/vm/command-line.ts";
import { guestStatus, hasEnded } from "../src/vm/machine.ts";
import { Qmp } from "../src/vm/qmp.ts";
import { boxSpec, create, never, nextDeath, sh } from "./support/boxes.ts";
import { expectJailed } from "./support/confined.ts";
import { openTestHost } from "./support/host.ts";

const host = await openTestHost();
const bin = mkdtempSync(join(tmpdir(), "bq-bin-"));
const path = process.env.PATH ?? "";
const qemu = locateTool("qemu-system-x86_64") ?? "";
afterAll(async () => {
  process.env.PATH = path;
  rmSync(bin, { recursive: true, force: true });
  await host[Symbol.asyncDispose]();
});

/** Puts a QEMU on PATH that does what the shell script says, which has the real one's path in $QEMU and counts its runs in $RUN. */
function fakeQemu(script: string): () => number {
  const counter = join(bin, `runs-${Math.random()}`);
  const file = join(bin, "qemu-system-x86_64");
  const count = `echo >> '${counter}'; RUN=$(wc -l < '${counter}'); QEMU='${qemu}'`;
  // Asking for the version is no run, nor is trying whether guests boot with KVM.
  const real = `case " $* " in *" --version "* | *" boxrun-probe "*) exec '${qemu}' "$@" ;; esac`;
  writeFileSync(file, `#!/bin/sh\n${real}\n${count}\n${script}\n`);
  chmodSync(file, 0o755);
  process.env.PATH = `${bin}${delimiter}${path}`;
  onTestFinished(() => {
    process.env.PATH = path;
  });
  return () => (existsSync(counter) ? readFileSync(counter, "utf8").length : 0);
}

test.each([
  ["hangs", 'if [ "$RUN" = 1 ]; then exec "$QEMU" -S "$@"; fi; exec "$QEMU" "$@"'],
  ["dies while it boots", 'if [ "$RUN" = 1 ]; then set -- "$@" -initrd "$0"; fi; exec "$QEMU" "$@"'],
])("a guest that %s is given a second attempt, and the log says why", async (_, script) => {
  const runs = fakeQemu(script);
  const warnings: object[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => warnings.push(fields) };
  const engine = host.makeEngine({ logger, bootLimitMs: 8000, templateCacheMb: 0 });
  const spec = boxSpec(host);
  await create(engine, spec);
  expect(await sh(engine, spec.id, "echo up")).toMatchObject({ stdout: "up\n" });
  expect(runs()).toBe(2);
  expect(warnings).toEqual([
    { boxId: spec.id, reason: expect.stringMatching(/boot box .*(did not answer within 8 s|before its agent)/) },
  ]);
  await engine.remove(spec.id);
  expect(host.residue(spec.id)).toEqual([]);
  await engine.close();
});

test("a guest that never boots fails the create after two attempts, and nothing is left", async () => {
  const runs = fakeQemu('exec "$QEMU" -S "$@"');
  const engine = host.makeEngine({ bootLimitMs: 500, templateCacheMb: 0 });
  const spec = boxSpec(host);
  await expect(create(engine, spec)).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringContaining("did not answer within 1 s"),
  });
  expect(runs()).toBe(2);
  expect(await engine.listBoxes()).toEqual([]);
  expect(host.residue(spec.id)).toEqual([]);
  await engine.close();
});

test("a QEMU that refuses its options fails at once with its own words", async () => {
  const runs = fakeQemu('exec "$QEMU" -no-such-option "$@"');
  const engine = host.makeEngine({ templateCacheMb: 0 });
  const spec = boxSpec(host);
  await expect(create(engine, spec)).rejects.toMatchObject({
    code: "RUNTIME_ERROR",
    message: expect.stringContaining("no-such-option"),
  });
  expect(runs()).toBe(1);
  expect(host.residue(spec.id)).toEqual([]);
  await engine.close();
});

test("seen from the host, a box's QEMU is in a jail of its own; its kernel asks no module without a policy, and zeroes nothing; a box that powers itself off, and one whose kernel panics, are told dead with the reason, and start again", async () => {
  const engine = host.makeEngine({ templateCacheMb: 0 });
  const spec = boxSpec(host);
  await create(engine, spec);
  expect((await engine.describe()).confinement).toMatchObject({ complete: true });
  expectJailed(host.qemuPid(spec.id));
  // A guest in QEMU could put nothing in place of a socket that the server of root connects to.
  if (process.getuid?.() === 0) expect(statSync(join(host.boxDir(spec.id), "s"))).toMatchObject({ uid: 0 });
  const modules = await sh(
    engine,
    spec.id,
    "mount -t securityfs none /sys/kernel/security && cat /sys/kernel/security/lsm",
  );
  expect(modules.stdout.split(",")).toContain("capability");
  expect(modules.stdout.split(",")).not.toContain("selinux");
  expect(await sh(engine, spec.id, "grep -x noinit_itable /proc/fs/ext4/*/options")).toMatchObject({ code: 0 });
  await sh(engine, spec.id, "echo kept > /root/file; sync");

  const panicked = nextDeath(engine);
  const dying = sh(engine, spec.id, "echo c > /proc/sysrq-trigger").catch((error: unknown) => error);
  expect((await panicked).reason).toMatch(/Kernel panic|sysrq/i);
  expect(await dying).toMatchObject({ code: "RUNTIME_ERROR" });
  await engine.start(spec, { signal: new AbortController().signal });
  expect(await sh(engine, spec.id, "cat /root/file")).toMatchObject({ stdout: "kept\n" });

  const off = nextDeath(engine);
  const leaving = sh(engine, spec.id, "poweroff -f").catch((error: unknown) => error);
  expect((await off).boxId).toBe(spec.id);
  await leaving;
  await engine.start(spec, { signal: new AbortController().signal });
  await engine.remove(spec.id);
  expect(host.residue(spec.id)).toEqual([]);
  await engine.close();
});

test("a guest that ended while no server was there is dead, and nothing of its VM is left", async () => {
  const engine = host.makeEngine();
  const spec = boxSpec(host);
  await create(engine, spec);
  const exec = await sh(engine, spec.id, "(sleep 1; poweroff -f) > /dev/null 2>&1 &");
  expect(exec.code).toBe(0);
  await engine.close();
  const qmp = await Qmp.connect(join(host.boxDir(spec.id), boxFiles.qmpSocket), never());
  await expect.poll(async () => hasEnded(await guestStatus(qmp)), { timeout: 60_000, interval: 100 }).toBe(true);
  qmp.close();
  // QEMU holds the ended guest until somebody has looked at it.
  expect(host.residue(spec.id).some((thing) => thing.startsWith("process"))).toBe(true);
  const next = host.makeEngine();
  expect(await next.adopt(spec, { signal: never() })).toEqual({ state: "dead" });
  expect(host.residue(spec.id).filter((thing) => !thing.startsWith("file"))).toEqual([]);
  await next.remove(spec.id);
  await next.close();
});
