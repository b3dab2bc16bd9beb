import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Engine, type Logger, silentLogger } from "@boxrun/core";
import { afterAll, expect, test } from "vitest";
import { volumeSupport } from "../src/volumes/virtiofsd.ts";
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

/** By which QEMU finds memory that it opens. */
const descriptors = ["fd"];

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
  for (const { id, workdir } of specs) {
    expect(await sh(engine, id, `test -d ${workdir} && ls -d /work/*`)).toMatchObject({ stdout: `${workdir}\n` });
  }
  const second = ready[0]?.id ?? "";
  expectJailed(host.qemuPid(second));
  // It is not QEMU that has mapped the template's memory: that would be the way out if the other did not work.
  expect(commandLine(second).join(" ")).toContain("memory-backend-ram,id=ram");

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

test("what is anticipated is there before any box: already the first one is resumed, ready, with nothing left to be made", async () => {
  const { engine, dropped } = makeEngine();
  const spec = boxSpec(host, { memoryMb: 288 });
  const before = readdirSync(templatesDir);
  expect(await engine.anticipate?.(spec, { signal: never() })).toBe(true);
  const made = readdirSync(templatesDir);
  // The bare one, and the one that is ready.
  expect(made).toHaveLength(before.length + 2);
  expect(await engine.listBoxes()).not.toContain(spec.id);
  const next = makeEngine();
  expect(await next.engine.anticipate?.(spec, { signal: never() })).toBe(false);
  await create(next.engine, spec);
  expect(isResumed(spec.id)).toBe(true);
  expect(await sh(next.engine, spec.id, "hostname")).toMatchObject({ stdout: "box\n" });
  await next.engine.remove(spec.id);
  for (const one of [engine, next.engine]) await one.close();
  expect(readdirSync(templatesDir).toSorted()).toEqual(made.toSorted());
  expect([...dropped, ...next.dropped]).toEqual([]);
});

test("what is being anticipated and is given up leaves neither a template nor a VM", async () => {
  const { engine } = makeEngine();
  const before = readdirSync(templatesDir);
  const giveUp = new AbortController();
  const anticipated = engine.anticipate?.(boxSpec(host, { memoryMb: 304 }), { signal: giveUp.signal });
  const scratch = () => readdirSync(templatesDir).find((name) => !before.includes(name));
  await expect.poll(scratch, { timeout: 60_000 }).toBeDefined();
  giveUp.abort(new Error("given up"));
  await expect(anticipated).rejects.toThrow("given up");
  const dir = join(templatesDir, scratch() ?? "none");
  await engine.close();
  expect(readdirSync(templatesDir).toSorted()).toEqual(before.toSorted());
  const commandLines = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8") + readFileSync(`/proc/${pid}/environ`, "utf8");
      } catch {
        return "";
      }
    });
  expect(commandLines.filter((line) => line.includes(dir))).toEqual([]);
});

test("boxes with volumes are resumed as all others, each with its own, and with memory that is its own alone", async ({
  skip,
}) => {
  const support = await volumeSupport();
  if (support.kind === "none") skip(support.why);
  const { engine, nextMade, dropped } = makeEngine();
  const root = mkdtempSync(join(tmpdir(), "bqtv-"));
  const share = (name: string, guestPath: string, readonly = false) => {
    const hostPath = join(root, name);
    mkdirSync(hostPath);
    writeFileSync(join(hostPath, "from-host"), `${name}\n`);
    return { hostPath, guestPath, readonly };
  };
  try {
    const madeReady = nextMade("ready");
    const shape = { network: true, workdir: "/vol/work" };
    const specs = ["first", "bare", "ready"].map((name) => boxSpec(host, { ...shape, volumes: [share(name, "/vol")] }));
    const ready = boxSpec(host, {
      ...{ ...shape, volumes: [share("outer", "/vol"), share("inner", "/vol/in/side"), share("ro", "/ro", true)] },
    });
    for (const spec of specs.slice(0, 2)) await create(engine, spec);
    await madeReady;
    specs.push(ready);
    for (const spec of specs.slice(2)) await create(engine, spec);
    expect(specs.map(({ id }) => isResumed(id))).toEqual([false, true, true, true]);
    expect(dropped).toEqual([]);

    const files = await Promise.all(
      specs.map(({ id }) => sh(engine, id, "cat /vol/from-host; cat /proc/sys/kernel/random/boot_id")),
    );
    expect(files.map(({ stdout }) => stdout.split("\n")[0])).toEqual(["first", "bare", "ready", "outer"]);
    expect(new Set(files.map(({ stdout }) => stdout.split("\n")[1])).size).toBe(specs.length);
    const said =
      "cat /vol/in/side/from-host /ro/from-host; echo x > /ro/new || echo refused; echo guest > /vol/in/side/from-guest; ls /vol";
    expect((await sh(engine, ready.id, said)).stdout).toBe("inner\nro\nrefused\nfrom-host\nin\nwork\n");
    expect(readFileSync(join(root, "inner/from-guest"), "utf8")).toBe("guest\n");
    expectJailed(host.qemuPid(ready.id), descriptors);
    // What serves a volume has the box's memory, and writes in it: no other box may see that.
    const memories = specs.slice(1).map(({ id }) => new Set(memoryFiles(id).map((file) => statSync(file).ino)));
    expect(memories.map(({ size }) => size)).toEqual([1, 1, 1]);
    expect(new Set(memories.flatMap((inodes) => [...inodes])).size).toBe(3);

    await engine.stop(ready.id);
    await engine.start(ready, { signal: never() });
    expect(isResumed(ready.id)).toBe(true);
    expect((await sh(engine, ready.id, "cat /vol/in/side/from-guest")).stdout).toBe("guest\n");
    await engine.close();
    const next = makeEngine();
    expect(await next.engine.adopt(ready, { signal: never() })).toEqual({ state: "running" });
    expect((await sh(next.engine, ready.id, "cat /vol/from-host")).stdout).toBe("outer\n");
    for (const { id } of specs) await next.engine.remove(id);
    expect(specs.flatMap(({ id }) => host.residue(id))).toEqual([]);
    await next.engine.close();
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
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
