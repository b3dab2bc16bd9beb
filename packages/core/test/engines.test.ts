import { Readable } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import { createMemoryEngine, type MemoryEngine, MemoryHost } from "@boxrun/engine-testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OtherEngines } from "../src/index.ts";
import { CoreHarness, never, stdout } from "./support/core.ts";

/** A server that ran the engine "old" and is started again with "new". Each has boxes of its own, which outlive the server. */
let harness: CoreHarness;
const hosts = { old: new MemoryHost(), new: new MemoryHost() };
let discarded: string[];

beforeEach(async () => {
  hosts.old = new MemoryHost();
  hosts.new = new MemoryHost();
  discarded = [];
  harness = await CoreHarness.open();
  await harness.restart({ chosen: engine("old") });
});
afterEach(() => harness[Symbol.asyncDispose]());

function engine(name: "old" | "new", notReady?: string): MemoryEngine {
  return createMemoryEngine({ name, host: hosts[name], ...(notReady === undefined ? {} : { notReady }) });
}

function others(...wired: MemoryEngine[]): OtherEngines {
  return {
    wired,
    missing: new Map(wired.length === 0 ? [["old", "its package is not installed"]] : []),
    discard: async ({ id }) => {
      discarded.push(id);
      return [];
    },
  };
}

const used = async () => {
  const { used_cpu, used_memory_mb } = await harness.core.info();
  return { used_cpu, used_memory_mb };
};
const start = (box: string) => harness.core.boxes.start(box, { signal: never });
const said = async (box: string, word: string) => {
  const exec = await harness.start(box, ["echo", word]);
  return stdout(await harness.events(box, exec.id));
};

describe("after a change of engine, where the other one works", () => {
  it("a box that runs goes on, on its own engine, and counts; new ones are made by the chosen one", async () => {
    const before = await harness.create({ name: "before", cpu: 1, memory_mb: 100 });
    await harness.restart({ chosen: engine("new"), others: others(engine("old")) });
    const after = await harness.create({ name: "after", cpu: 2, memory_mb: 200 });
    expect(harness.core.boxes.list().map(({ name, engine, status }) => [name, engine, status])).toEqual([
      ["after", "new", "running"],
      ["before", "old", "running"],
    ]);
    expect(await said("before", "still here")).toBe("still here\n");
    expect(await said("after", "here")).toBe("here\n");
    expect([[...hosts.old.boxes.keys()], [...hosts.new.boxes.keys()]]).toEqual([[before.id], [after.id]]);
    expect(await used()).toEqual({ used_cpu: 3, used_memory_mb: 300 });
    expect((await harness.core.info()).engine.name).toBe("new");
  });

  it("its boxes are stopped, started and removed by it", async () => {
    const box = await harness.create();
    await harness.restart({ chosen: engine("new"), others: others(engine("old")) });
    await harness.core.boxes.stop(box.id);
    expect(hosts.old.boxes.get(box.id)?.state).toBe("stopped");
    expect(await start(box.id)).toMatchObject({ status: "running", engine: "old" });
    await harness.core.boxes.remove(box.id, { force: true });
    expect([hosts.old.boxes.size, hosts.new.boxes.size, discarded]).toEqual([0, 0, []]);
    expect(await used()).toEqual({ used_cpu: 0, used_memory_mb: 0 });
  });

  it("commands that were running are followed to their end", async () => {
    const box = await harness.create();
    const exec = await harness.start(box.id, ["cat"], { stdin: true });
    await harness.restart({ chosen: engine("new"), others: others(engine("old")) });
    expect(harness.core.execs.get(box.id, exec.id).status).toBe("running");
    await harness.core.execs.cancel(box.id, exec.id);
    expect(harness.core.execs.get(box.id, exec.id).status).toBe("canceled");
  });

  it("the death of one of its VMs is noticed", async () => {
    const box = await harness.create();
    await harness.restart({ chosen: engine("new"), others: others(engine("old")) });
    hosts.old.kill(box.id, "out of luck");
    await expect
      .poll(() => harness.core.boxes.get(box.id))
      .toMatchObject({
        status: "error",
        error_message: "The box died: out of luck",
      });
  });

  it("an image that goes is forgotten by every engine", async () => {
    const [chosen, other] = [engine("new"), engine("old")];
    await harness.restart({ chosen, others: others(other) });
    await harness.core.images.pull("tool:1", { signal: never, onProgress: () => undefined });
    await harness.core.images.remove("tool:1");
    expect([chosen.controls.calls("forgetImage"), other.controls.calls("forgetImage")]).toEqual([1, 1]);
  });
});

describe("after a change of engine, where the other one does not work", () => {
  const why = "was made by the old engine, which does not work here: no virtualisation";

  it("its boxes say so, can't be started, and can be removed", async () => {
    const box = await harness.create({ name: "dev" });
    await harness.core.boxes.stop(box.id);
    await harness.restart({ chosen: engine("new"), others: others(engine("old", "no virtualisation")) });
    const shown = { status: "stopped", engine: "old", error_code: "RUNTIME_ERROR" };
    expect(harness.core.boxes.get("dev")).toMatchObject({
      ...shown,
      error_message: `This box ${why}. It can still be removed.`,
    });
    expect(harness.core.boxes.list("stopped")).toMatchObject([shown]);
    await expect(start("dev")).rejects.toMatchObject({
      code: "RUNTIME_ERROR",
      message: `Cannot start box dev: it ${why}`,
    });
    await expect(harness.start("dev", ["true"])).rejects.toMatchObject({
      code: "BOX_NOT_RUNNING",
      message: expect.stringContaining(why),
    });
    await harness.core.boxes.remove("dev", { force: false });
    expect([harness.core.boxes.list(), hosts.old.boxes.size]).toEqual([[], 0]);
  });

  it("a VM of it that runs on is taken over all the same", async () => {
    const box = await harness.create();
    await harness.restart({ chosen: engine("new"), others: others(engine("old", "no virtualisation")) });
    expect(harness.core.boxes.get(box.id)).toMatchObject({ status: "running", error_message: null });
    expect(await said(box.id, "on")).toBe("on\n");
  });

  it("a box that it can't destroy is removed by force alone", async () => {
    const box = await harness.create({ name: "dev" });
    await harness.core.boxes.stop(box.id);
    const broken = engine("old", "no virtualisation");
    const failing = () => broken.controls.failNext("remove", new BoxRunError("RUNTIME_ERROR", "no native module"));
    await harness.restart({ chosen: engine("new"), others: others(broken) });
    failing();
    await expect(harness.core.boxes.remove("dev", { force: false })).rejects.toMatchObject({
      code: "RUNTIME_ERROR",
      message: expect.stringMatching(
        /^Cannot destroy the disk of box dev: no native module; the box was made by the old engine, .*Remove it by force/,
      ),
    });
    expect([harness.core.boxes.list().length, discarded]).toEqual([1, []]);
    failing();
    await harness.core.boxes.remove("dev", { force: true });
    expect([harness.core.boxes.list(), discarded]).toEqual([[], [box.id]]);
  });

  it("its boxes start again as soon as it works", async () => {
    const box = await harness.create();
    await harness.core.boxes.stop(box.id);
    const mended = engine("old");
    const describeReady = mended.describe.bind(mended);
    mended.describe = async () => ({ ...(await describeReady()), ready: false, why: "no virtualisation" });
    await harness.restart({ chosen: engine("new"), others: others(mended) });
    await expect(start(box.id)).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
    mended.describe = describeReady;
    expect(await start(box.id)).toMatchObject({ status: "running", error_code: null, error_message: null });
  });
});

describe("after a change of engine, where the other one is gone", () => {
  const why = "was made by the old engine, which this server does not have: its package is not installed";

  it("its boxes are listed, say so, and are removed by force with what is found of them", async () => {
    const box = await harness.create({ name: "dev" });
    await harness.core.boxes.stop("dev");
    await harness.restart({ chosen: engine("new"), others: others() });
    expect(harness.core.boxes.list()).toMatchObject([
      { status: "stopped", error_message: `This box ${why}. It can still be removed.` },
    ]);
    await expect(start("dev")).rejects.toThrow(`Cannot start box dev: it ${why}`);
    await expect(harness.core.boxes.remove("dev", { force: false })).rejects.toThrow(
      `Cannot destroy the disk of box dev: it ${why}. Remove it by force`,
    );
    await harness.core.boxes.remove("dev", { force: true });
    expect([harness.core.boxes.list(), discarded]).toEqual([[], [box.id]]);
    expect((await harness.create()).status).toBe("running");
  });

  it("a box that ran is unreachable and says why, keeps what it holds, and its commands are not given up", async () => {
    const box = await harness.create({ cpu: 1, memory_mb: 100 });
    const exec = await harness.start(box.id, ["cat"], { stdin: true });
    await harness.restart({ chosen: engine("new"), others: others() });
    expect(harness.core.boxes.get(box.id)).toMatchObject({
      status: "running",
      error_message: null,
      unreachable: expect.stringContaining(why),
    });
    expect(harness.core.execs.get(box.id, exec.id)).toMatchObject({ status: "running" });
    await expect(harness.core.boxes.stop(box.id)).rejects.toThrow(why);
    expect(await used()).toEqual({ used_cpu: 1, used_memory_mb: 100 });
  });

  it("its VM and its commands have gone on once the engine is back", async () => {
    const box = await harness.create();
    const exec = await harness.start(box.id, ["cat"], { stdin: true });
    await harness.restart({ chosen: engine("new"), others: others() });
    await harness.restart({ chosen: engine("old") });
    expect(harness.core.boxes.get(box.id)).not.toHaveProperty("unreachable");
    const input = { eof: true, signal: never };
    await harness.core.execs.writeStdin(box.id, exec.id, Readable.from([Buffer.from("typed")]), input);
    expect(stdout(await harness.events(box.id, exec.id))).toBe("typed");
  });

  it("a box that it was creating is shown as error", async () => {
    const box = await harness.create();
    harness.store.boxes.update(box.id, { status: "creating" });
    await harness.restart({ chosen: engine("new"), others: others() });
    expect(harness.core.boxes.get(box.id)).toMatchObject({
      status: "error",
      error_message: expect.stringContaining("its creation was given up"),
    });
  });
});
