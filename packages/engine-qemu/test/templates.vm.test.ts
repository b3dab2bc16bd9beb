import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Engine, type Logger, silentLogger } from "@boxrun/core";
import { afterAll, expect, test } from "vitest";
import { boxSpec, clockIsRight, create, never, sh } from "./support/boxes.ts";
import { expectJailed } from "./support/confined.ts";
import { openTestHost } from "./support/host.ts";

const host = await openTestHost();
/** A cache with the same guest and no templates, so that what is made here is nobody else's. */
const cacheDir = mkdtempSync(join(tmpdir(), "bqt-"));
for (const name of ["guest", "probe"]) {
  cpSync(join(host.cacheDir, name), join(cacheDir, name), { recursive: true, force: true, preserveTimestamps: true });
}
const templatesDir = join(cacheDir, "templates");
afterAll(async () => {
  await host[Symbol.asyncDispose]();
  rmSync(cacheDir, { recursive: true, force: true });
});

interface Said {
  readonly template?: string;
}

type Kind = "bare" | "ready";

/** An engine over that cache, and what it says of templates: what `nextMade` gives resolves when it has made one more of that kind. */
function makeEngine() {
  const dropped: Said[] = [];
  const waiting = new Map<Kind, () => void>();
  const logger: Logger = {
    ...silentLogger,
    info: (_, message) => {
      if (message?.includes("start from a template") !== true) return;
      waiting.get(message.startsWith("new boxes") ? "ready" : "bare")?.();
    },
    warn: (fields: Said) => {
      if (fields.template !== undefined) dropped.push(fields);
    },
  };
  const nextMade = (kind: Kind = "bare") => new Promise<void>((resolve) => waiting.set(kind, resolve));
  return { engine: host.makeEngine({ cacheDir, logger }), dropped, nextMade };
}

const commandLine = (boxId: string) => readFileSync(`/proc/${host.qemuPid(boxId)}/cmdline`, "utf8").split("\0");
const isResumed = (boxId: string) => commandLine(boxId).includes("-incoming");

/** The files that are, or could be, the memory of the box's VM: of a template, the same for all boxes that are resumed from it. */
function memoryFiles(boxId: string): readonly string[] {
  const dir = `/proc/${host.qemuPid(boxId)}/fd`;
  return readdirSync(dir)
    .map((fd) => join(dir, fd))
    .filter((file) => statSync(file).size === 256 << 20);
}

/** What must be each box's own. */
async function identity(engine: Engine, boxId: string) {
  const { stdout } = await sh(
    engine,
    boxId,
    "cat /proc/sys/kernel/random/boot_id /etc/machine-id; hostname; head -c 32 /dev/urandom | sha256sum; cat /sys/class/net/eth0/address",
  );
  return stdout.trim().split("\n");
}

test("the first box of a shape boots; those that come after it are resumed, each of them a box of its own, in its jail, with the right time", async () => {
  const { engine, nextMade, dropped } = makeEngine();
  const madeReady = nextMade("ready");
  // The first boots, the second waits for the bare template that is made behind it and goes on from that, and those behind it from one in which a box is ready.
  const specs = [1, 2, 3, 4].map((nth) =>
    boxSpec(host, { hostname: `box-${nth}`, network: true, workdir: `/work/${nth}` }),
  );
  const [first, bare, ...ready] = specs;
  if (first === undefined || bare === undefined) throw new Error("no box");
  const others = [bare, ...ready];
  await create(engine, first);
  expect(isResumed(first.id)).toBe(false);
  await create(engine, bare);
  await madeReady;
  for (const spec of ready) await create(engine, spec);
  const [ofFirst, ofBare, ...ofReady] = specs.map(({ id }) => memoryFiles(id).map((file) => statSync(file).ino)[0]);
  expect(ofFirst).toBeUndefined();
  expect(ofBare).toBeDefined();
  expect(ofReady[0]).not.toBe(ofBare);
  expect(ofReady[1]).toBe(ofReady[0]);
  expect(others.map(({ id }) => isResumed(id))).toEqual([true, true, true]);
  expect(dropped).toEqual([]);

  const identities = await Promise.all(specs.map(({ id }) => identity(engine, id)));
  for (const [nth, name] of ["boot_id", "machine-id", "hostname", "urandom", "MAC"].entries()) {
    const values = identities.map((lines) => lines[nth] ?? "");
    expect(
      values.every((value) => value !== ""),
      name,
    ).toBe(true);
    expect(new Set(values).size, `${name}: ${values}`).toBe(specs.length);
  }
  for (const { id } of others) {
    await expect.poll(() => clockIsRight(engine, id), { timeout: 60_000 }).toBe(true);
    expect(await sh(engine, id, "df -k / | awk 'END { print ($2 > 900000) }'")).toMatchObject({ stdout: "1\n" });
  }
  const files = ["boxrun-host", "disk.ext4", "fd", "image.squashfs", "initramfs", "kernel", "lib", "lib64", "s", "usr"];
  for (const { id, workdir } of specs) {
    expect(await sh(engine, id, `test -d ${workdir} && ls -d /work/*`)).toMatchObject({ stdout: `${workdir}\n` });
  }
  const second = ready[0]?.id ?? "";
  expectJailed(host.qemuPid(second), files);

  // The memory that they share is nobody's to write: what one has in its own does not reach the other.
  await sh(engine, second, "head -c 30000000 /dev/urandom > /dev/shm/mine");
  expect(memoryFiles(second).length).toBeGreaterThan(0);
  for (const file of memoryFiles(second)) expect(() => writeFileSync(file, "x", { flag: "r+" })).toThrow(/EPERM/);

  // `start` takes the same way, with the disk and the identity that the box has.
  await sh(engine, second, "echo kept > /root/file");
  const [, machineId] = await identity(engine, second);
  await engine.stop(second);
  await engine.start(ready[0] ?? first, { signal: never() });
  expect(isResumed(second)).toBe(true);
  expect(await sh(engine, second, "cat /root/file /etc/machine-id")).toMatchObject({ stdout: `kept\n${machineId}\n` });

  // A resumed VM outlives its server as any other.
  await engine.close();
  const next = makeEngine();
  expect(await next.engine.adopt(ready[0] ?? first, { signal: never() })).toEqual({ state: "running" });
  expect(await sh(next.engine, second, "echo here")).toMatchObject({ stdout: "here\n" });
  for (const { id } of specs) await next.engine.remove(id);
  expect(specs.flatMap(({ id }) => host.residue(id))).toEqual([]);
  await next.engine.close();
});

test.each(["ram", "state"])(
  "a template whose %s is broken is dropped, the log says so, and the box boots",
  async (file) => {
    const { engine, nextMade, dropped } = makeEngine();
    const [warmer, box] = [boxSpec(host), boxSpec(host)];
    const made = nextMade();
    await create(engine, warmer);
    if (!isResumed(warmer.id)) await made;
    await engine.close();
    const broken = makeEngine();
    for (const key of readdirSync(templatesDir)) writeFileSync(join(templatesDir, key, file), "no template");
    const again = broken.nextMade();
    await create(broken.engine, box);
    expect(isResumed(box.id)).toBe(false);
    expect(await sh(broken.engine, box.id, "echo up")).toMatchObject({ stdout: "up\n" });
    expect(broken.dropped).toHaveLength(1);
    expect(dropped).toEqual([]);
    // It is made anew.
    await again;
    const last = boxSpec(host);
    await create(broken.engine, last);
    expect(isResumed(last.id)).toBe(true);
    for (const { id } of [warmer, box, last]) await broken.engine.remove(id);
    await broken.engine.close();
  },
);
