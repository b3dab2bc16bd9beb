import type { MemoryEngine } from "@boxrun/engine-testkit";
import { expect, onTestFinished, test } from "vitest";
import { Samples } from "../src/stats/samples.ts";
import { TestClock } from "./support/clock.ts";
import { CoreHarness, never } from "./support/core.ts";

async function open() {
  const clock = new TestClock();
  const harness = await CoreHarness.open({ clock });
  onTestFinished(() => harness[Symbol.asyncDispose]());
  const { id } = await harness.create({ name: "dev", cpu: 2, memory_mb: 256 });
  return { clock, harness, id, uses: boxOf(harness.engine, id).uses };
}

function boxOf(engine: MemoryEngine, id: string) {
  const box = engine.host.boxes.get(id);
  if (box === undefined) throw new Error(`no box ${id}`);
  return box;
}

const signal = never;

test("one reading has the rates of the moment before it", async () => {
  const { clock, harness, id, uses } = await open();
  const reading = harness.core.stats.read("dev", { signal });
  await clock.advance(100);
  Object.assign(uses, { cpuMs: uses.cpuMs + 150, hostCpuMs: uses.hostCpuMs + 300 });
  await clock.advance(200);
  expect(await reading).toMatchObject({
    box_id: id,
    guest: "answered",
    guest_error: null,
    cpu_percent: 50,
    cpus: 2,
    memory_bytes: uses.memoryBytes,
    memory_limit_bytes: 256 * 1024 * 1024,
    disk_bytes: 1_000_000,
    network_received_bytes: 0,
    network_sent_bytes: 10,
    host_cpu_percent: 100,
    host_memory_bytes: 2 * uses.memoryBytes,
  });
});

test("who asks at once is answered with one reading", async () => {
  const { clock, harness } = await open();
  const hold = harness.engine.controls.hold("usage");
  const all = Array.from({ length: 10 }, () => harness.core.stats.read("dev", { signal }));
  await hold.reached;
  expect(harness.engine.controls.calls("usage")).toBe(1);
  hold.release();
  await clock.advance(1_000);
  const readings = await Promise.all(all);
  expect(new Set(readings.map(({ at }) => at)).size).toBe(1);
  expect(harness.engine.controls.calls("usage")).toBe(2);
});

test("a step is kept every 10 s, for an hour", async () => {
  const { clock, harness, uses } = await open();
  for (let step = 0; step < 3; step += 1) {
    Object.assign(uses, {
      cpuMs: uses.cpuMs + 5_000,
      hostCpuMs: uses.hostCpuMs + 10_000,
      sentBytes: uses.sentBytes + 70,
    });
    await clock.advance(10_000);
  }
  const history = harness.core.stats.history("dev");
  expect(history).toMatchObject({
    step_seconds: 10,
    cpu_percent: [null, 50, 50],
    host_cpu_percent: [null, 100, 100],
    network_sent_per_second: [null, 7, 7],
    memory_bytes: Array(3).fill(uses.memoryBytes),
  });
  expect(history.at.map((at) => at - (history.at[0] ?? 0))).toEqual([0, 10, 20]);
  await clock.advance(3_600_000);
  expect(harness.core.stats.history("dev").at).toHaveLength(360);
});

test("a box that does nothing is not asked, and what it said last holds", async () => {
  const { clock, harness, id, uses } = await open();
  let asked = 0;
  const box = boxOf(harness.engine, id);
  const usage = box.usage.bind(box);
  box.usage = (guest) => {
    if (guest) asked += 1;
    return usage(guest);
  };
  await clock.advance(20_000);
  const before = asked;
  uses.hostCpuMs += 50;
  await clock.advance(10_000);
  expect(asked).toBe(before);
  expect([...harness.core.stats.overview(0)]).toMatchObject([
    { box_id: id, guest: "idle", cpu_percent: 0.5, memory_bytes: uses.memoryBytes },
  ]);
  uses.hostCpuMs += 5_000;
  await clock.advance(10_000);
  expect(asked).toBe(before + 1);
  expect([...harness.core.stats.overview(0)]).toMatchObject([{ guest: "answered" }]);
});

test("a box that has been at work and then does nothing for a minute gives back memory, once", async () => {
  const { clock, harness, id, uses } = await open();
  const box = boxOf(harness.engine, id);
  const work = async (steps: number) => {
    for (let step = 0; step < steps; step += 1) {
      uses.hostCpuMs += 5_000;
      await clock.advance(10_000);
    }
  };
  await work(20);
  expect(box.reclaimed).toBe(0);
  await clock.advance(50_000);
  expect(box.reclaimed).toBe(0);
  await clock.advance(10_000);
  expect(box.reclaimed).toBe(1);
  // What it did for that is no work.
  await work(1);
  await clock.advance(3_600_000);
  expect(box.reclaimed).toBe(1);
  await work(1);
  await clock.advance(50_000);
  await work(1);
  await clock.advance(50_000);
  expect(box.reclaimed).toBe(1);
  await clock.advance(10_000);
  expect(box.reclaimed).toBe(2);
  // Nobody is told who does not answer.
  await work(1);
  box.fallSilent("it was frozen");
  await clock.advance(120_000);
  expect(box.reclaimed).toBe(2);
  box.answerAgain();
});

test("a box that does not answer says so, and is told by what the host sees", async () => {
  const { clock, harness, id, uses } = await open();
  await clock.advance(10_000);
  boxOf(harness.engine, id).fallSilent("it was frozen");
  uses.hostCpuMs += 10_000;
  await clock.advance(10_000);
  const reading = harness.core.stats.read("dev", { signal });
  await clock.advance(1_000);
  expect(await reading).toMatchObject({
    guest: "unreachable",
    guest_error: "it was frozen",
    memory_bytes: null,
    disk_bytes: null,
    processes: null,
    host_memory_bytes: 2 * uses.memoryBytes,
  });
  expect(harness.core.stats.history("dev").cpu_percent).toEqual([null, 100]);
  boxOf(harness.engine, id).answerAgain();
});

test("an agent from before the question is asked once", async () => {
  const { clock, harness, id } = await open();
  const box = boxOf(harness.engine, id);
  box.hasOldAgent = true;
  let asked = 0;
  const usage = box.usage.bind(box);
  box.usage = (guest) => {
    if (guest) asked += 1;
    return usage(guest);
  };
  await clock.advance(30_000);
  expect(asked).toBe(1);
  expect([...harness.core.stats.overview(0)]).toMatchObject([{ guest: "unsupported", memory_bytes: null }]);
});

test("who follows all boxes is told of each at first, then at every step of those that use something else", async () => {
  const { clock, harness, id, uses } = await open();
  const idle = await harness.create({ name: "idle" });
  await clock.advance(10_000);
  const leave = new AbortController();
  const events = harness.core.stats.followOverview(5, { signal: leave.signal });
  const next = async () => (await events.next()).value;
  expect(await next()).toMatchObject({
    event: "stats",
    data: [
      { box_id: idle.id, recent: { cpu_percent: [null] } },
      { box_id: id, recent: { cpu_percent: [null] } },
    ],
  });
  expect(await next()).toMatchObject({ event: "step", data: { boxes: 2 } });
  // From the second sample on there is a rate.
  const first = next();
  await clock.advance(10_000);
  expect(await first).toMatchObject({ event: "stats", data: [{ cpu_percent: 0 }, { cpu_percent: 0 }] });
  await next();

  const changed = next();
  Object.assign(uses, { cpuMs: uses.cpuMs + 5_000, hostCpuMs: uses.hostCpuMs + 5_000 });
  await clock.advance(10_000);
  const told = await changed;
  expect(told).toMatchObject({ event: "stats", data: [{ box_id: id }] });
  expect(told).not.toHaveProperty("data.0.recent");
  expect(await next()).toMatchObject({ event: "step", data: { boxes: 2 } });

  await harness.core.boxes.stop("dev");
  const without = next();
  await clock.advance(10_000);
  expect(await without).toMatchObject({ event: "step", data: { boxes: 1 } });
  leave.abort();
  expect((await events.next()).done).toBe(true);
});

test("a box that runs no more is refused, and nothing is kept of it", async () => {
  const { clock, harness } = await open();
  await clock.advance(10_000);
  await harness.core.boxes.stop("dev");
  await expect(harness.core.stats.read("dev", { signal })).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
  expect([...harness.core.stats.overview(0)]).toEqual([]);
  await clock.advance(10_000);
  expect(harness.core.stats.history("dev").at).toEqual([]);
  await expect(harness.core.stats.read("nope", { signal })).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
});

test("who follows gets a reading every two seconds, until the box is stopped", async () => {
  const { clock, harness } = await open();
  const seen: (number | null)[] = [];
  const following = (async () => {
    for await (const { cpu_percent } of harness.core.stats.follow("dev", { signal })) seen.push(cpu_percent);
  })();
  await clock.advance(4_500);
  expect(seen).toEqual([0, 0, 0]);
  await harness.core.boxes.stop("dev");
  await clock.advance(2_000);
  await following;
  expect(seen).toHaveLength(3);
});

test("one silent box holds up no others, and no two steps are under way at once", async () => {
  const { clock, harness } = await open();
  for (let count = 0; count < 8; count += 1) await harness.create({ cpu: 1, memory_mb: 64 });
  const hold = harness.engine.controls.hold("usage");
  await clock.advance(60_000);
  expect(harness.engine.controls.calls("usage")).toBe(4);
  hold.release();
  await clock.advance(10_000);
  expect([...harness.core.stats.overview(1)]).toHaveLength(9);
});

test("samples are numbers to a tenth, in a ring", () => {
  const samples = new Samples();
  const sample = {
    cpuPercent: 1.26,
    memoryBytes: 2 ** 30,
    diskBytes: null,
    receivedPerSecond: null,
    sentPerSecond: 3,
    processes: 4,
    hostCpuPercent: 5,
    hostMemoryBytes: 6,
  };
  for (let at = 0; at < 400; at += 1) samples.push(at, { ...sample, processes: at });
  const { atMs, columns } = samples.read(2);
  expect(atMs).toEqual([398, 399]);
  expect(columns).toMatchObject({ cpuPercent: [1.3, 1.3], memoryBytes: [2 ** 30, 2 ** 30], diskBytes: [null, null] });
  expect(columns.processes).toEqual([398, 399]);
  expect(samples.read().atMs).toHaveLength(360);
});
