import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CoreHarness, never, stdout } from "./support/core.ts";

let harness: CoreHarness;
let other: DatabaseSync;
beforeEach(async () => {
  harness = await CoreHarness.open({ retryTimes: { firstMs: 5, longestMs: 10, limitMs: 300 } });
  other = new DatabaseSync(join(harness.directory, "boxrun.db"));
});
afterEach(async () => {
  if (other.isTransaction) other.exec("ROLLBACK");
  other.close();
  await harness[Symbol.asyncDispose]();
});

/** Another process has the file: nothing can be written until it lets go. */
const holdFile = () => other.exec("BEGIN IMMEDIATE");
const letGo = () => other.exec("ROLLBACK");
const stored = (id: string) => other.prepare("SELECT status, error_message FROM boxes WHERE id = ?").get(id);
const usedCpu = async () => (await harness.core.info()).used_cpu;

/** Holds the file from when the engine is at `method`, and lets the engine go on. */
async function holdFileDuring(method: "create" | "start" | "stop" | "remove"): Promise<void> {
  const hold = harness.engine.controls.hold(method);
  await hold.reached;
  holdFile();
  hold.release();
}

describe("what has happened to a box while the store can't be written", () => {
  it("a box that has come up is answered for once it is stored", async () => {
    const creating = harness.create();
    await holdFileDuring("create");
    await expect.poll(() => harness.core.boxes.list()[0]?.status).toBe("running");
    letGo();
    const box = await creating;
    expect(stored(box.id)).toMatchObject({ status: "running" });
    expect(await usedCpu()).toBe(box.cpu);
  });

  it("a box that can't be stored as running is taken back", async () => {
    const creating = harness.create();
    const failed = expect(creating).rejects.toThrow(/locked/);
    await holdFileDuring("create");
    await failed;
    const [box] = harness.core.boxes.list();
    expect(box).toMatchObject({ status: "error" });
    expect(harness.host.boxes.size).toBe(0);
    expect(await usedCpu()).toBe(0);
    letGo();
    await expect.poll(() => stored(box?.id ?? "")).toMatchObject({ status: "error" });
  });

  it("a start that can't be stored is taken back, and works later", async () => {
    const box = await harness.create();
    await harness.core.boxes.stop(box.id);
    const failed = expect(harness.core.boxes.start(box.id, { signal: never })).rejects.toThrow(/locked/);
    await holdFileDuring("start");
    await failed;
    expect(harness.core.boxes.get(box.id).status).toBe("stopped");
    expect(harness.host.boxes.get(box.id)?.state).toBe("stopped");
    letGo();
    expect(await harness.core.boxes.start(box.id, { signal: never })).toMatchObject({ status: "running" });
  });

  it("a death is shown at once, frees what the box held, and is stored later", async () => {
    const box = await harness.create();
    holdFile();
    expect(() => harness.host.kill(box.id, "power cut")).not.toThrow();
    const dead = { status: "error", error_message: "The box died: power cut" };
    await expect.poll(() => harness.core.boxes.get(box.id)).toMatchObject(dead);
    expect(harness.core.boxes.list("error")).toHaveLength(1);
    expect(harness.core.boxes.list("running")).toHaveLength(0);
    expect(await usedCpu()).toBe(0);
    letGo();
    await expect.poll(() => stored(box.id)).toEqual(dead);
  });

  it("a stop is shown at once, its caller is told that it is not stored, and it is later", async () => {
    const box = await harness.create();
    const exec = await harness.start(box.id, ["sleep", "1000"]);
    const reading = harness.events(box.id, exec.id);
    const failed = expect(harness.core.boxes.stop(box.id)).rejects.toThrow(
      /is stopped, but .* could not be stored yet/,
    );
    await holdFileDuring("stop");
    await failed;
    expect(harness.core.boxes.get(box.id).status).toBe("stopped");
    letGo();
    await expect.poll(() => stored(box.id)).toMatchObject({ status: "stopped" });
    expect((await reading).at(-1)).toMatchObject({ kind: "exit", data: expect.stringContaining("stopped") });
    expect(harness.core.execs.get(box.id, exec.id).status).toBe("failed");
  });

  it("a removed box is gone for everybody, and its name is free once the file is", async () => {
    const box = await harness.create({ name: "dev" });
    const failed = expect(harness.core.boxes.remove(box.id, { force: true })).rejects.toThrow(/is gone, but/);
    await holdFileDuring("remove");
    await failed;
    expect(harness.core.boxes.list()).toEqual([]);
    expect(() => harness.core.boxes.get("dev")).toThrow(/no box/);
    letGo();
    await harness.create({ name: "dev" });
    expect(stored(box.id)).toBeUndefined();
  });

  it("a command waits for the file without holding up the server", async () => {
    const box = await harness.create();
    holdFile();
    const starting = harness.start(box.id, ["echo", "hello"]);
    // Others are answered meanwhile.
    expect(await harness.core.info()).toMatchObject({ used_cpu: box.cpu });
    letGo();
    const exec = await starting;
    expect(stdout(await harness.events(box.id, exec.id))).toBe("hello\n");
  });
});

describe("a VM that dies at the wrong moment", () => {
  it("while its box is being written down as running is not shown as running for ever", async () => {
    const hold = harness.engine.controls.hold("create");
    const creating = harness.create();
    await hold.reached;
    const [id = ""] = harness.host.boxes.keys();
    hold.release();
    await expect.poll(() => harness.host.boxes.get(id)?.state).toBe("running");
    harness.host.kill(id);
    await creating;
    await expect.poll(() => harness.core.boxes.get(id).status).toBe("error");
    expect(await usedCpu()).toBe(0);
  });
});
