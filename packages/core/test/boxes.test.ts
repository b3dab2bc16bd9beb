import { BoxRunError } from "@boxrun/contract";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CoreHarness, never, stdout } from "./support/core.ts";

let harness: CoreHarness;
beforeEach(async () => {
  harness = await CoreHarness.open({ maxMemoryMb: 4096 });
});
afterEach(() => harness[Symbol.asyncDispose]());

const used = async () => {
  const { used_cpu, used_memory_mb } = await harness.core.info();
  return { used_cpu, used_memory_mb };
};
const nothing = { used_cpu: 0, used_memory_mb: 0 };

describe("creating", () => {
  it("gives a running box, found by id and by name", async () => {
    const box = await harness.create({ name: "dev" });
    expect(box).toMatchObject({ name: "dev", status: "running", engine: "memory", workdir: "/root", image: "base" });
    expect(harness.core.boxes.get("dev")).toEqual(harness.core.boxes.get(box.id));
  });

  it("takes the image's working directory where the request has none", async () => {
    harness.images.config = { env: {}, user: null, workdir: "/srv" };
    const box = await harness.create();
    expect(box.workdir).toBe("/srv");
    // The engine has made it: no box of this one has a /srv of its own.
    expect(await Array.fromAsync(harness.core.files.list(box.id, "/srv", { signal: never }))).toEqual([]);
    expect((await harness.create({ workdir: "/opt" })).workdir).toBe("/opt");
  });

  it("leaves a box that says what went wrong, and gives its resources back", async () => {
    harness.engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", "no room"));
    await expect(harness.create({ name: "dev" })).rejects.toThrow("no room");
    expect(harness.core.boxes.get("dev")).toMatchObject({
      status: "error",
      error_code: "RUNTIME_ERROR",
      error_message: "no room",
    });
    expect(await used()).toEqual(nothing);
    await expect(harness.core.boxes.start("dev", { signal: never })).rejects.toThrow(/never created/);
    await harness.core.boxes.remove("dev", { force: false });
    expect(harness.core.boxes.list()).toEqual([]);
  });

  it("has a volume that lies in another mounted after it, in whatever order they are given", async () => {
    const create = vi.spyOn(harness.engine, "create");
    const volumes = ["/data/sub/deep/", "/other", "//data/./sub", "/data"].map((guest_path) => ({
      ...{ host_path: import.meta.dirname, guest_path, readonly: true },
    }));
    await harness.create({ volumes });
    const [spec] = create.mock.calls[0] ?? [];
    expect(spec?.volumes.map(({ guestPath }) => guestPath)).toEqual([
      ...["/other", "/data", "//data/./sub", "/data/sub/deep/"],
    ]);
  });

  it("refuses a name that is taken, and keeps nothing of the attempt", async () => {
    await harness.create({ name: "dev" });
    await expect(harness.create({ name: "dev" })).rejects.toMatchObject({ code: "NAME_ALREADY_EXISTS" });
    expect(harness.core.boxes.list()).toHaveLength(1);
    expect(await used()).toEqual({ used_cpu: 2, used_memory_mb: 1024 });
  });

  it("does not let boxes that are asked for at once pass a limit together", async () => {
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => harness.create()));
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(4);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "RESOURCE_EXCEEDED" });
    }
    expect(await used()).toEqual({ used_cpu: 8, used_memory_mb: 4096 });
  });

  it("pulls an image once for ten boxes that want it at the same time", async () => {
    const gate = Promise.withResolvers<void>();
    harness.images.gate = gate.promise;
    const creating = Array.from({ length: 10 }, () => harness.create({ image: "python", cpu: 1, memory_mb: 100 }));
    await expect.poll(() => harness.images.pulls.length).toBe(1);
    gate.resolve();
    const boxes = await Promise.all(creating);
    expect(harness.images.pulls).toEqual(["python:3.12-slim"]);
    expect(new Set(boxes.map((box) => box.image_digest)).size).toBe(1);
  });

  it("is interrupted by a forced removal, and nothing is left", async () => {
    const hold = harness.engine.controls.hold("create");
    const creating = harness.create({ name: "dev" });
    await hold.reached;
    await expect(harness.core.boxes.stop("dev")).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
    await expect(harness.core.boxes.remove("dev", { force: false })).rejects.toMatchObject({
      code: "BOX_ALREADY_RUNNING",
    });
    const removing = harness.core.boxes.remove("dev", { force: true });
    await expect(creating).rejects.toMatchObject({ code: "CANCELED" });
    await removing;
    expect(harness.core.boxes.list()).toEqual([]);
    expect(harness.host.boxes.size).toBe(0);
    expect(await used()).toEqual(nothing);
  });
});

describe("stopping and starting", () => {
  it("ends what runs, gives the resources back, and brings the box up again", async () => {
    const box = await harness.create();
    const exec = await harness.start(box.id, ["sleep", "1000"]);
    const reading = harness.events(box.id, exec.id);
    expect(await harness.core.boxes.stop(box.id)).toMatchObject({ status: "stopped" });
    expect((await reading).at(-1)).toMatchObject({ kind: "exit" });
    expect(harness.core.execs.get(box.id, exec.id).status).toBe("failed");
    expect(await used()).toEqual(nothing);
    expect(await harness.core.boxes.start(box.id, { signal: never })).toMatchObject({
      status: "running",
      stopped_at: null,
    });
    expect(stdout(await harness.events(box.id, (await harness.start(box.id, ["echo", "again"])).id))).toBe("again\n");
  });

  it("says which programs had to be killed", async () => {
    const box = await harness.create();
    await harness.start(box.id, ["sleep", "1000"]);
    expect(await harness.core.boxes.stop(box.id)).toMatchObject({ killed: [], forced: false });
    await harness.core.boxes.start(box.id, { signal: never });
    await harness.start(box.id, ["cat"], { stdin: true });
    harness.host.ignoreEnds(box.id);
    expect(await harness.core.boxes.stop(box.id)).toMatchObject({ killed: [{ name: "cat" }], forced: false });
  });

  it("refuses what the state does not allow", async () => {
    const box = await harness.create();
    await expect(harness.core.boxes.start(box.id, { signal: never })).rejects.toMatchObject({
      code: "BOX_ALREADY_RUNNING",
    });
    await expect(harness.core.boxes.remove(box.id, { force: false })).rejects.toMatchObject({
      code: "BOX_ALREADY_RUNNING",
    });
    await harness.core.boxes.stop(box.id);
    await expect(harness.core.boxes.stop(box.id)).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
    await expect(harness.start(box.id, ["true"])).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
  });

  it("keeps a box running that the engine can't stop, and lets it be used", async () => {
    const box = await harness.create();
    harness.engine.controls.failNext("stop", new BoxRunError("RUNTIME_ERROR", "stuck"));
    await expect(harness.core.boxes.stop(box.id)).rejects.toThrow("stuck");
    expect(harness.core.boxes.get(box.id).status).toBe("running");
    expect(stdout(await harness.events(box.id, (await harness.start(box.id, ["echo", "fine"])).id))).toBe("fine\n");
  });

  it("gives the resources back when a start fails", async () => {
    const box = await harness.create();
    await harness.core.boxes.stop(box.id);
    harness.engine.controls.failNext("start", new BoxRunError("RUNTIME_ERROR", "no kernel"));
    await expect(harness.core.boxes.start(box.id, { signal: never })).rejects.toThrow("no kernel");
    expect(harness.core.boxes.get(box.id).status).toBe("stopped");
    expect(await used()).toEqual(nothing);
  });
});

describe("removing", () => {
  it("twice at once succeeds once and is not found the other time", async () => {
    const box = await harness.create();
    const results = await Promise.allSettled([1, 2].map(() => harness.core.boxes.remove(box.id, { force: true })));
    expect(results.map((result) => result.status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(results.find((result) => result.status === "rejected")).toMatchObject({ reason: { code: "BOX_NOT_FOUND" } });
  });

  it("ends the streams of those who read", async () => {
    const box = await harness.create();
    const exec = await harness.start(box.id, ["sleep", "1000"]);
    const reading = harness.events(box.id, exec.id);
    await harness.core.boxes.remove(box.id, { force: true });
    expect((await reading).at(-1)).toMatchObject({ kind: "exit", data: expect.stringContaining("removed") });
  });

  it("takes every box that was stopped for long enough, and no other", async () => {
    const [stopped] = [await harness.create({ name: "old" }), await harness.create({ name: "busy" })];
    await harness.core.boxes.stop(stopped.id);
    expect(await harness.core.gc({ older_than: 3600 })).toEqual({ removed: 0 });
    expect(await harness.core.gc({ older_than: 0 })).toEqual({ removed: 1 });
    expect(harness.core.boxes.list().map((box) => box.name)).toEqual(["busy"]);
  });
});

describe("a VM that dies", () => {
  it("turns its box to error, ends its execs as failed, and can be started again", async () => {
    const box = await harness.create();
    const exec = await harness.start(box.id, ["sleep", "1000"]);
    const reading = harness.events(box.id, exec.id);
    harness.host.kill(box.id, "power cut");
    const last = (await reading).at(-1);
    expect(last).toMatchObject({ kind: "exit", data: expect.stringContaining("power cut") });
    expect(harness.core.boxes.get(box.id)).toMatchObject({ status: "error", error_message: "The box died: power cut" });
    expect(harness.core.execs.get(box.id, exec.id)).toMatchObject({ status: "failed", exit_code: null });
    expect(await used()).toEqual(nothing);
    expect(await harness.core.boxes.start(box.id, { signal: never })).toMatchObject({
      status: "running",
      error_code: null,
      error_message: null,
    });
  });
});

describe("one-shot runs", () => {
  const request = { image: "base", cpu: 1, memory_mb: 100, disk_size_gb: 1, network: false } as const;

  it("return both streams and the exit code, and leave no box", async () => {
    const answer = await harness.core.run(
      { ...request, cmd: ["sh", "-c", "echo out; echo err >&2; exit 3"] },
      { signal: never },
    );
    expect(answer).toEqual({ exit_code: 3, stdout: "out\n", stderr: "err\n", error_message: null });
    expect(harness.core.boxes.list()).toEqual([]);
  });

  it("leave no box when the caller hangs up, in the middle of the boot or of the command", async () => {
    for (const method of ["create", "exec"] as const) {
      const hold = harness.engine.controls.hold(method);
      const controller = new AbortController();
      const running = harness.core.run({ ...request, cmd: ["sleep", "1000"] }, { signal: controller.signal });
      const failed = expect(running).rejects.toThrow();
      await hold.reached;
      controller.abort();
      hold.release();
      await failed;
      expect(harness.core.boxes.list()).toEqual([]);
    }
    expect(await used()).toEqual(nothing);
  });

  it("leave no box when the image can't be had", async () => {
    await expect(
      harness.core.run({ ...request, image: "missing:1", cmd: ["true"] }, { signal: never }),
    ).rejects.toMatchObject({ code: "IMAGE_PULL_FAILED" });
    expect(harness.core.boxes.list()).toEqual([]);
  });
});

describe("a restarted server", () => {
  it("shows a box whose creation it interrupted as error", async () => {
    const box = await harness.create();
    harness.store.boxes.update(box.id, { status: "creating" });
    await harness.restart();
    expect(harness.core.boxes.get(box.id)).toMatchObject({
      status: "error",
      error_message: expect.stringContaining("while the box was being created"),
    });
    expect(harness.host.boxes.size).toBe(0);
  });

  it("takes over the boxes that run, with their resources, and tells of those that died", async () => {
    const [alive, dead] = [await harness.create(), await harness.create()];
    await harness.close();
    harness.host.kill(dead.id);
    await harness.restart();
    expect(harness.core.boxes.get(alive.id).status).toBe("running");
    expect(harness.core.boxes.get(dead.id)).toMatchObject({
      status: "error",
      error_message: expect.stringContaining("its disk is there"),
    });
    expect(await used()).toEqual({ used_cpu: 2, used_memory_mb: 1024 });
  });
});

describe("images", () => {
  it("that a box was made of can't be removed", async () => {
    await harness.create({ image: "python" });
    await expect(harness.core.images.remove("python")).rejects.toMatchObject({ code: "IMAGE_IN_USE" });
    await expect(harness.core.images.remove("nothing:1")).rejects.toMatchObject({ code: "IMAGE_NOT_FOUND" });
    await expect(harness.core.images.remove("base")).rejects.toMatchObject({ code: "VALIDATION_ERROR" });
  });

  it("keep their content when they are removed in the middle of a pull, which gives them their name again", async () => {
    const pull = () => harness.core.images.pull("tool:1", { signal: never, onProgress: () => undefined });
    const { digest } = await pull();
    const gate = Promise.withResolvers<void>();
    harness.images.gate = gate.promise;
    const pulling = pull();
    await expect.poll(() => harness.images.pulls.length).toBe(2);
    await harness.core.images.remove("tool:1");
    gate.resolve();
    expect((await pulling).digest).toBe(digest);
    expect(harness.images.removed).toEqual([]);
    await harness.core.images.remove("tool:1");
    expect(harness.images.removed).toEqual([digest]);
  });

  it("that are removed in the middle of a pull that fails go with it", async () => {
    const pull = (reference: string) =>
      harness.core.images.pull(reference, { signal: never, onProgress: () => undefined });
    const { digest } = await pull("tool:1");
    const gate = Promise.withResolvers<void>();
    harness.images.gate = gate.promise;
    const failed = expect(pull("missing:1")).rejects.toMatchObject({ code: "IMAGE_PULL_FAILED" });
    await expect.poll(() => harness.images.pulls.length).toBe(2);
    await harness.core.images.remove("tool:1");
    expect(harness.images.removed).toEqual([]);
    gate.resolve();
    await failed;
    expect(harness.images.removed).toEqual([digest]);
  });

  it("are removed with the last of their names", async () => {
    const pull = (reference: string) =>
      harness.core.images.pull(reference, { signal: never, onProgress: () => undefined });
    const image = await pull("tool:1");
    await harness.core.images.remove("tool:1");
    expect(harness.images.removed).toEqual([image.digest]);
    expect((await harness.core.images.list()).map((listed) => listed.reference)).toEqual(["base"]);
  });
});

describe("a tag that moves", () => {
  const pull = () => harness.core.images.pull("tool:1", { signal: never, onProgress: () => undefined });

  it("leaves no image behind that nothing names", async () => {
    const before = await pull();
    harness.images.generation = "b";
    const after = await pull();
    expect(after.digest).not.toBe(before.digest);
    expect(harness.images.removed).toEqual([before.digest]);
  });

  it("leaves the image that a box was made of", async () => {
    await pull();
    await harness.create({ image: "tool:1" });
    harness.images.generation = "b";
    await pull();
    expect(harness.images.removed).toEqual([]);
  });
});

describe("watching the server", () => {
  it("shows every change of a box and its execs", async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const event of harness.core.events({ signal: controller.signal })) {
        seen.push(event.event === "box_removed" ? "removed" : `${event.event} ${event.data.status}`);
        if (event.event === "box_removed") controller.abort();
      }
    })();
    const box = await harness.create();
    await harness.events(box.id, (await harness.start(box.id, ["true"])).id);
    await harness.core.boxes.remove(box.id, { force: true });
    await watching;
    expect(seen).toContain("box running");
    expect(seen).toContain("exec succeeded");
    expect(seen.at(-1)).toBe("removed");
  });
});
