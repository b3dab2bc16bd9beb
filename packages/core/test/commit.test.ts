import { Readable } from "node:stream";
import { BoxRunError, type CommitRequest } from "@boxrun/contract";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CoreHarness, never } from "./support/core.ts";

let harness: CoreHarness;

beforeEach(async () => {
  harness = await CoreHarness.open();
});
afterEach(() => harness[Symbol.asyncDispose]());

const commit = (box: string, request: Partial<CommitRequest> = {}, signal = never) =>
  harness.core.boxes.commit(box, { reference: "env", replace: false, ...request }, { signal });

async function stoppedBox(request: Record<string, unknown> = {}): Promise<string> {
  const { id } = await harness.create(request);
  await harness.core.boxes.stop(id);
  return id;
}

describe("an image of a box", () => {
  it("is in the list, and a box can be made of it", async () => {
    const image = await commit(await stoppedBox());
    expect(image).toMatchObject({ reference: "env", builtin: false });
    expect((await harness.core.images.list()).map(({ reference }) => reference)).toContain("env");
    expect(await harness.create({ image: "env" })).toMatchObject({ status: "running", image_digest: image.digest });
    expect(harness.images.pulls).toEqual([]);
  });

  it("has what the box was created with, but for secrets", async () => {
    const env = { A: "1", API_KEY: "k", S: "s", URL: "http://user:pass@host/" };
    const box = await stoppedBox({ env, secret_env: ["S"], workdir: "/srv" });
    await commit(box);
    const { imageDigest } = harness.store.boxes.get(box) ?? {};
    expect(harness.images.made[0]?.options).toMatchObject({ from: imageDigest, env: { A: "1" }, workdir: "/srv" });
    expect(harness.images.made[0]?.bytes).toBeGreaterThan(0);
  });

  it("is refused of a box that runs, with what to do", async () => {
    const { id } = await harness.create({ name: "dev" });
    await expect(commit(id)).rejects.toThrow(
      expect.objectContaining({ code: "BOX_ALREADY_RUNNING", message: expect.stringContaining("`boxrun stop dev`") }),
    );
    expect(harness.engine.controls.calls("readDisk")).toBe(0);
  });

  it.each([
    ["base", "VALIDATION_ERROR"],
    ["python", "VALIDATION_ERROR"],
  ])("can't be called %s", async (reference, code) => {
    await expect(commit(await stoppedBox(), { reference })).rejects.toThrow(expect.objectContaining({ code }));
    await expect(commit(await stoppedBox(), { reference, replace: true })).rejects.toThrow(
      expect.objectContaining({ code }),
    );
  });

  it("takes the name of another only if it is told to", async () => {
    const box = await stoppedBox();
    const first = await commit(box);
    await expect(commit(box)).rejects.toThrow(expect.objectContaining({ code: "NAME_ALREADY_EXISTS" }));
    const second = await commit(box, { replace: true });
    expect(second.digest).not.toBe(first.digest);
    expect(harness.images.removed).toEqual([first.digest]);
  });

  it("leaves nothing if its name was taken meanwhile", async () => {
    const [box, other] = [await stoppedBox(), await stoppedBox()];
    const hold = harness.engine.controls.hold("readDisk");
    const late = commit(box);
    const refused = expect(late).rejects.toThrow(expect.objectContaining({ code: "NAME_ALREADY_EXISTS" }));
    await hold.reached;
    await harness.core.images.import(Readable.from([]), { reference: "env", signal: never });
    hold.release();
    await refused;
    expect(harness.images.removed).toHaveLength(1);
    await commit(other, { reference: "env2" });
  });

  it("leaves nothing, and its box stopped, if it is given up", async () => {
    const box = await stoppedBox();
    const hold = harness.engine.controls.hold("readDisk");
    const caller = new AbortController();
    const given = commit(box, {}, caller.signal);
    const refused = expect(given).rejects.toThrow(expect.objectContaining({ code: "CANCELED" }));
    await hold.reached;
    caller.abort(new BoxRunError("CANCELED", "The caller hung up"));
    await refused;
    hold.release();
    expect(harness.core.boxes.get(box).status).toBe("stopped");
    expect(harness.store.images.get("env")).toBeUndefined();
    expect((await harness.core.info()).used_cpu).toBe(0);
  });

  it("is given up for the removal of its box by force", async () => {
    const box = await stoppedBox();
    const hold = harness.engine.controls.hold("readDisk");
    const given = expect(commit(box)).rejects.toThrow(expect.objectContaining({ code: "CANCELED" }));
    await hold.reached;
    await harness.core.boxes.remove(box, { force: true });
    await given;
    hold.release();
    expect(harness.store.images.get("env")).toBeUndefined();
  });

  it("waits in line with a start of its box", async () => {
    const box = await stoppedBox();
    const hold = harness.engine.controls.hold("readDisk");
    const committed = commit(box);
    await hold.reached;
    const started = harness.core.boxes.start(box, { signal: never });
    hold.release();
    await committed;
    expect((await started).status).toBe("running");
  });
});
