import { BoxRunError } from "@boxrun/contract";
import { afterEach, describe, expect, it } from "vitest";
import { isPreparedNote } from "../src/pool/prepared-note.ts";
import { TestClock } from "./support/clock.ts";
import { CoreHarness, never, stdout } from "./support/core.ts";

const size = { image: "base", cpu: 1, memoryMb: 256, diskSizeGb: 8, network: false, count: 2 };
/** What `create` is asked for of that size. */
const like = { cpu: 1, memory_mb: 256 };

const clock = new TestClock();
const opened: CoreHarness[] = [];
afterEach(async () => {
  for (const harness of opened.splice(0)) await harness[Symbol.asyncDispose]();
});

type Options = Parameters<typeof CoreHarness.open>[0];

async function open(options: Options = {}): Promise<CoreHarness> {
  const harness = await CoreHarness.open({ clock, pool: [size], ...options });
  opened.push(harness);
  return harness;
}

/** Long enough for a few boxes to be prepared, and no attempt to be made again. */
const settle = () => clock.advance(950);

const pool = async ({ core }: CoreHarness) => (await core.info()).pool ?? [];
const ready = async (harness: CoreHarness) => (await pool(harness)).map((one) => one.ready);

const preparedIn = ({ host }: CoreHarness) =>
  [...host.boxes.values()].filter(({ note }) => isPreparedNote(note)).map(({ id }) => id);

describe("a create of a size that is kept ready", () => {
  it("takes a box that was prepared, with its id, and another one takes its place", async () => {
    const harness = await open();
    await settle();
    const before = preparedIn(harness);
    expect(before).toHaveLength(2);
    expect(harness.core.boxes.list()).toEqual([]);
    const box = await harness.create({ ...like, name: "mine", workdir: "/srv" });
    expect(before).toContain(box.id);
    expect(box).toMatchObject({ name: "mine", status: "running", workdir: "/srv" });
    const exec = await harness.start("mine", ["cat", "/etc/hostname"]);
    expect(stdout(await harness.events("mine", exec.id))).toBe("mine\n");
    expect(await ready(harness)).toEqual([1]);
    await settle();
    expect(await ready(harness)).toEqual([2]);
    expect(harness.engine.controls.calls("prepare")).toBe(3);
  });

  it.each([
    ["cpu", { ...like, cpu: 2 }],
    ["memory", { ...like, memory_mb: 512 }],
    ["disk", { ...like, disk_size_gb: 9 }],
    ["network", { ...like, network: true }],
    ["image", { ...like, image: "python" }],
  ])("takes none that is of another %s", async (_, request) => {
    const harness = await open();
    await settle();
    const box = await harness.create(request);
    expect(await ready(harness)).toEqual([2]);
    expect(preparedIn(harness)).not.toContain(box.id);
  });

  it("that is refused gives it back", async () => {
    const harness = await open();
    await harness.create({ name: "taken" });
    await settle();
    await expect(harness.create({ ...like, name: "taken" })).rejects.toMatchObject({ code: "NAME_ALREADY_EXISTS" });
    expect(await ready(harness)).toEqual([2]);
    expect(harness.engine.controls.calls("prepare")).toBe(2);
    expect((await harness.core.info()).used_memory_mb).toBe(1024 + 2 * 256);
  });

  it("that is given up before the engine hears of it leaves nothing of it", async () => {
    const harness = await open();
    await settle();
    const before = preparedIn(harness);
    await expect(harness.create(like, AbortSignal.abort())).rejects.toMatchObject({ code: "CANCELED" });
    const [box] = harness.core.boxes.list();
    expect(before).toContain(box?.id);
    expect(harness.host.boxes.has(box?.id ?? "")).toBe(false);
    expect((await harness.core.info()).used_memory_mb).toBe(256);
  });

  it("boots as ever where none is ready", async () => {
    const harness = await open();
    expect((await harness.create(like)).status).toBe("running");
    expect(harness.engine.controls.calls("prepare")).toBe(0);
  });
});

describe("boxes that are prepared", () => {
  it("are no boxes for anybody: neither listed, nor taken for lost ones", async () => {
    const harness = await open();
    await settle();
    const [id = ""] = preparedIn(harness);
    expect(harness.core.boxes.count().running).toBe(0);
    expect(() => harness.core.boxes.get(id)).toThrow(/no box/i);
    expect(await harness.core.orphans.list()).toEqual([]);
    await expect(harness.core.orphans.remove(id)).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
  });

  it("are not prepared while somebody waits for a box", async () => {
    const harness = await open();
    const hold = harness.engine.controls.hold("create");
    const creating = harness.create({ name: "first" });
    await hold.reached;
    await clock.advance(60_000);
    expect(harness.engine.controls.calls("prepare")).toBe(0);
    hold.release();
    await creating;
    await settle();
    expect(await ready(harness)).toEqual([2]);
  });

  it("are replaced when they end by themselves", async () => {
    const harness = await open();
    await settle();
    const [id = ""] = preparedIn(harness);
    harness.host.kill(id);
    expect(await ready(harness)).toEqual([1]);
    expect((await harness.core.info()).used_memory_mb).toBe(256);
    await settle();
    expect(await ready(harness)).toEqual([2]);
    expect(preparedIn(harness)).not.toContain(id);
  });

  it("end with the server", async () => {
    const harness = await open();
    await settle();
    await harness.close();
    expect(harness.host.boxes.size).toBe(0);
  });

  it("are ended by the server that comes after one that was killed, and boxes are not", async () => {
    const harness = await open();
    await settle();
    const left = preparedIn(harness);
    const box = await harness.create(like);
    await settle();
    await harness.crash();
    await harness.restart();
    await settle();
    const now = preparedIn(harness);
    expect(now).toHaveLength(2);
    expect(now.some((id) => left.includes(id))).toBe(false);
    expect([...harness.host.boxes.keys()].sort()).toEqual([...now, box.id].sort());
    expect(harness.core.boxes.get(box.id).status).toBe("running");
  });

  it("are ended in the making when the server stops", async () => {
    const harness = await open();
    const hold = harness.engine.controls.hold("prepare");
    await clock.advance(400);
    await hold.reached;
    await harness.close();
    expect(harness.host.boxes.size).toBe(0);
  });

  it("go with their image, and come again with the one that took its place", async () => {
    const harness = await open({ pool: [{ ...size, image: "python" }] });
    await harness.core.images.pull("python", { signal: never, onProgress: () => undefined });
    await settle();
    expect(await ready(harness)).toEqual([2]);
    const before = preparedIn(harness);
    harness.images.generation = "b";
    await harness.core.images.pull("python", { signal: never, onProgress: () => undefined });
    expect(preparedIn(harness)).toEqual([]);
    await settle();
    expect(preparedIn(harness)).toHaveLength(2);
    expect(preparedIn(harness).some((id) => before.includes(id))).toBe(false);
  });
});

describe("the limits", () => {
  it("count prepared boxes, which are no more than there is room for", async () => {
    const harness = await open({ maxMemoryMb: 700, pool: [{ ...size, count: 4 }] });
    await settle();
    expect(await pool(harness)).toMatchObject([
      { wanted: 4, ready: 2, trouble: expect.stringContaining("188 of the server's 700 MB are free") },
    ]);
    expect((await harness.core.info()).used_memory_mb).toBe(512);
  });

  it("are for boxes that are wanted: as many prepared ones end as have to", async () => {
    const harness = await open({ maxMemoryMb: 800, pool: [{ ...size, count: 3 }] });
    await settle();
    expect(await ready(harness)).toEqual([3]);
    expect((await harness.create({ memory_mb: 400 })).status).toBe("running");
    expect(await ready(harness)).toEqual([1]);
    expect((await harness.core.info()).used_memory_mb).toBe(656);
    await settle();
    expect(await ready(harness)).toEqual([1]);
  });

  it("let a stopped box start in place of prepared ones", async () => {
    const harness = await open({ maxMemoryMb: 600 });
    const box = await harness.create({ memory_mb: 400 });
    await harness.core.boxes.stop(box.id);
    await settle();
    expect(await ready(harness)).toEqual([2]);
    expect((await harness.core.boxes.start(box.id, { signal: never })).status).toBe("running");
    expect(await ready(harness)).toEqual([0]);
  });

  it("end none for a box that would not fit without them either", async () => {
    const harness = await open({ maxMemoryMb: 600 });
    await settle();
    await expect(harness.create({ memory_mb: 700 })).rejects.toMatchObject({ code: "RESOURCE_EXCEEDED" });
    expect(await ready(harness)).toEqual([2]);
  });

  it("are not in the way of one that is in the making", async () => {
    const harness = await open({ maxMemoryMb: 300 });
    const hold = harness.engine.controls.hold("prepare");
    await clock.advance(400);
    await hold.reached;
    expect((await harness.create({ memory_mb: 300 })).status).toBe("running");
    expect((await harness.core.info()).used_memory_mb).toBe(300);
  });

  it("that have room again are filled at once", async () => {
    const harness = await open({ maxMemoryMb: 600 });
    const box = await harness.create({ memory_mb: 500 });
    await clock.advance(120_000);
    expect(await ready(harness)).toEqual([0]);
    await harness.core.boxes.remove(box.id, { force: true });
    await settle();
    expect(await ready(harness)).toEqual([2]);
  });
});

describe("what can't be prepared", () => {
  it("is tried again later and later, told once for each reason, and holds nothing", async () => {
    const warnings: unknown[] = [];
    const logger = {
      trace() {},
      debug() {},
      info() {},
      error() {},
      warn: (_: object, text?: string) => warnings.push(text),
    };
    const harness = await open({ pool: [{ ...size, count: 1 }], logger });
    const { controls } = harness.engine;
    for (let nth = 0; nth < 20; nth += 1) controls.failNext("prepare", new BoxRunError("RUNTIME_ERROR", "no luck"));
    await clock.advance(10_000);
    expect(controls.calls("prepare")).toBe(4);
    await clock.advance(60_000);
    expect(controls.calls("prepare")).toBe(7);
    expect(await pool(harness)).toMatchObject([{ ready: 0, trouble: "no luck" }]);
    expect(warnings).toEqual(["no box could be prepared; it is tried again"]);
    expect((await harness.core.info()).used_memory_mb).toBe(0);
    expect((await harness.create(like)).status).toBe("running");
  });

  it("is a size whose image is not here, until it is: the pool pulls none", async () => {
    const harness = await open({ pool: [{ ...size, image: "python" }] });
    await settle();
    expect(await pool(harness)).toMatchObject([
      { ready: 0, trouble: expect.stringContaining("is not on this server") },
    ]);
    expect(harness.images.pulls).toEqual([]);
    await harness.create({ ...like, image: "python" });
    await clock.advance(60_000);
    expect(await ready(harness)).toEqual([2]);
  });

  it("is everything where the engine prepares no boxes, which is told", async () => {
    const harness = await open();
    Object.defineProperty(harness.engine, "prepare", { value: undefined });
    await harness.restart({ chosen: harness.engine });
    await settle();
    expect(await pool(harness)).toMatchObject([{ ready: 0, trouble: "the memory engine prepares no boxes" }]);
  });
});
