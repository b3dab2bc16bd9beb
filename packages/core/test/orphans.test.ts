import { BoxRunError } from "@boxrun/contract";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CoreHarness, never, stdout } from "./support/core.ts";

let harness: CoreHarness;
beforeEach(async () => {
  harness = await CoreHarness.open({ retryTimes: { firstMs: 1, longestMs: 5, limitMs: 200 } });
});
afterEach(() => harness[Symbol.asyncDispose]());

/** As after the database was moved aside: the row is gone, the VM is not. */
function forget(id: string): void {
  harness.store.boxes.delete(id);
}

describe("a box that the database does not know", () => {
  it("is found and told, and taken in as it was, with what runs in it", async () => {
    const before = await harness.create({ name: "dev", env: { KEY: "value" }, workdir: "/tmp", cpu: 3 });
    forget(before.id);
    await harness.restart();
    expect(harness.core.boxes.list()).toEqual([]);
    expect(await harness.core.orphans.list()).toMatchObject([
      { id: before.id, engine: "memory", name: "dev", image: "base", adoptable: true },
    ]);
    const after = await harness.core.orphans.adopt(before.id);
    // The engine makes its note before it has an id of its own for the box.
    const anew = { started_at: "", boxlite_id: null };
    expect({ ...after, ...anew }).toEqual({ ...before, ...anew });
    expect((await harness.core.info()).used_cpu).toBe(3);
    const exec = await harness.start("dev", ["sh", "-c", "echo $KEY"]);
    expect(stdout(await harness.events("dev", exec.id))).toBe("value\n");
    expect(await harness.core.orphans.list()).toEqual([]);
    await expect(harness.core.orphans.adopt(before.id)).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
  });

  it("comes back without its name if another box has that, and to be started if it does not run", async () => {
    const lost = await harness.create({ name: "dev" });
    forget(lost.id);
    harness.host.kill(lost.id);
    await harness.create({ name: "dev" });
    expect(await harness.core.orphans.adopt(lost.id)).toMatchObject({ id: lost.id, name: null, status: "error" });
    expect(await harness.core.boxes.start(lost.id, { signal: never })).toMatchObject({ status: "running" });
  });

  it("can be removed, also where the engine has no record of what it was", async () => {
    const lost = await harness.create();
    forget(lost.id);
    const vm = harness.host.boxes.get(lost.id);
    if (vm !== undefined) vm.note = undefined;
    expect(await harness.core.orphans.list()).toMatchObject([{ id: lost.id, name: null, adoptable: false }]);
    await expect(harness.core.orphans.adopt(lost.id)).rejects.toThrow(/can only be removed/);
    await harness.core.orphans.remove(lost.id);
    expect(harness.host.boxes.size).toBe(0);
  });

  it("is none while it is only being created, and a known box can't be removed as one", async () => {
    const hold = harness.engine.controls.hold("create");
    const creating = harness.create();
    await hold.reached;
    expect(await harness.core.orphans.list()).toEqual([]);
    hold.release();
    const box = await creating;
    await expect(harness.core.orphans.remove(box.id)).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
    expect(harness.core.boxes.get(box.id).status).toBe("running");
  });
});

describe("the box of a request", () => {
  const request = { image: "base", cpu: 1, memory_mb: 100, disk_size_gb: 1, network: false, cmd: ["sleep", "1000"] };

  it("does not outlive a server that was killed in the middle", async () => {
    const running = harness.core.run(request, { signal: never });
    running.catch(() => undefined);
    await expect.poll(() => harness.host.boxes.values().next().value?.execs.size).toBe(1);
    const mine = await harness.create({ name: "mine" });
    await harness.crash();
    await harness.restart();
    expect(harness.core.boxes.list().map(({ id }) => id)).toEqual([mine.id]);
    expect([...harness.host.boxes.keys()]).toEqual([mine.id]);
  });

  it("is answered for though its box can't be removed at once, and that goes all the same", async () => {
    for (let times = 0; times < 3; times += 1) {
      harness.engine.controls.failNext("remove", new BoxRunError("RUNTIME_ERROR", "busy"));
    }
    const answer = await harness.core.run({ ...request, cmd: ["echo", "done"] }, { signal: never });
    expect(answer).toMatchObject({ exit_code: 0, stdout: "done\n" });
    await expect.poll(() => harness.host.boxes.size).toBe(0);
    await expect.poll(() => harness.core.boxes.list()).toEqual([]);
  });
});
