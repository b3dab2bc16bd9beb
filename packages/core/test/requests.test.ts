import {
  BoxRunError,
  type CreateBoxInput,
  createBoxRequestSchema,
  execRequestSchema,
  type RunInput,
  runRequestSchema,
} from "@boxrun/contract";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "./support/clock.ts";
import { CoreHarness, never } from "./support/core.ts";

let harness: CoreHarness;
/** Of the requests that were repeats. */
let repeats: string[];

async function open(options: Parameters<typeof CoreHarness.open>[0] = {}): Promise<void> {
  harness = await CoreHarness.open(options);
  repeats = [];
}
beforeEach(() => open());
afterEach(() => harness[Symbol.asyncDispose]());

const keyed = (key: string | undefined) => ({ key, onRepeat: () => void repeats.push(key ?? "") });

const create = (key: string | undefined, input: Partial<CreateBoxInput> = {}) =>
  harness.core.requests.create(createBoxRequestSchema.parse({ image: "base", ...input }), {
    ...keyed(key),
    signal: never,
  });
const exec = (key: string | undefined, box: string, cmd: readonly string[]) =>
  harness.core.requests.exec(box, execRequestSchema.parse({ cmd }), keyed(key));
const run = (key: string | undefined, cmd: string[], more: Partial<RunInput> & { caller?: AbortSignal } = {}) => {
  const { caller = never, ...input } = more;
  const request = runRequestSchema.parse({ image: "base", cpu: 1, memory_mb: 100, cmd, ...input });
  return harness.core.requests.run(request, { ...keyed(key), caller, signal: never });
};
const boxes = () => harness.core.boxes.list().map(({ id }) => id);
const execs = (box: string) => harness.core.execs.list(box).items.map(({ id }) => id);
const reused = { code: "IDEMPOTENCY_KEY_REUSED", status: 409 };

describe("a create with a key", () => {
  it("that comes again is answered with the same box as it is now, also by the next server, and another one with another box", async () => {
    const box = await create("a", { name: "dev", env: { A: "1", B: "2" } });
    const other = await create("b");
    expect(repeats).toEqual([]);
    expect(await create("a", { name: "dev", env: { B: "2", A: "1" }, cpu: 2 })).toEqual(box);
    await harness.core.boxes.stop(box.id);
    await harness.crash();
    await harness.restart();
    expect(await create("a", { name: "dev", env: { A: "1", B: "2" } })).toMatchObject({
      id: box.id,
      status: "stopped",
    });
    expect(boxes()).toEqual([other.id, box.id]);
    expect(repeats).toEqual(["a", "a"]);
  });

  it("that asks for something else is refused, also while the first one is under way, and makes nothing", async () => {
    const hold = harness.engine.controls.hold("create");
    const first = create("a", { name: "dev" });
    await hold.reached;
    await expect(create("a", { name: "other" })).rejects.toMatchObject(reused);
    hold.release();
    const { id } = await first;
    await expect(create("a", { name: "other" })).rejects.toMatchObject(reused);
    expect(boxes()).toEqual([id]);
    expect(repeats).toEqual([]);
  });

  it("that comes twice at once makes one box, for which both wait", async () => {
    const hold = harness.engine.controls.hold("create");
    const both = Promise.all([create("a"), create("a")]);
    await hold.reached;
    hold.release();
    const [first, second] = await both;
    expect(second).toEqual(first);
    expect(first.status).toBe("running");
    expect(boxes()).toEqual([first.id]);
    expect(repeats).toEqual(["a"]);
  });

  it("that was refused before there was a box may be tried again", async () => {
    const { id } = await create(undefined, { name: "dev" });
    await expect(create("a", { name: "dev" })).rejects.toMatchObject({ code: "NAME_ALREADY_EXISTS" });
    await harness.core.boxes.remove(id, { force: true });
    // Also with another request: nothing is known of that key.
    expect(await create("a", { name: "dev", cpu: 1 })).toMatchObject({ name: "dev", cpu: 1 });
    expect(repeats).toEqual([]);
  });

  it("whose box never ran fails again as it did, and has no second box", async () => {
    harness.engine.controls.failNext("create", new BoxRunError("RUNTIME_ERROR", "no luck"));
    const failure = { code: "RUNTIME_ERROR", message: "no luck", details: { box_id: expect.any(String) } };
    await expect(create("a")).rejects.toMatchObject(failure);
    await expect(create("a")).rejects.toMatchObject({ ...failure, details: { box_id: boxes()[0] } });
    expect(boxes()).toHaveLength(1);
  });

  it("whose box was removed says so, and makes no new one", async () => {
    const { id } = await create("a");
    await harness.core.boxes.remove(id, { force: true });
    await expect(create("a")).rejects.toMatchObject({ code: "BOX_NOT_FOUND", message: expect.stringContaining(id) });
    expect(boxes()).toEqual([]);
  });

  it("keeps neither the key nor what was asked in the database", async () => {
    await create("the-key", { env: { TOKEN: "s3cret" } });
    const { digest, fingerprint } = harness.store.keys.get(digestOfTheKey) ?? {};
    expect(digest).toBe(digestOfTheKey);
    expect(fingerprint).toMatch(/^[\w-]{43}$/);
  });
});

/** sha256 of "create the-key". */
const digestOfTheKey = "8XYIWZ0C7BkJO8aHMIeHoUnx3TCCwXU8VdNBnfRVdwo";

describe("an exec with a key", () => {
  it("that comes again is answered with the same exec, under whatever name of its box, also by the next server", async () => {
    const box = await create(undefined, { name: "dev" });
    const first = await exec("a", "dev", ["echo", "hello"]);
    await harness.core.execs.wait(box.id, first.id);
    const ended = { id: first.id, status: "succeeded", exit_code: 0 };
    expect(await exec("a", box.id, ["echo", "hello"])).toMatchObject(ended);
    await harness.core.boxes.stop(box.id);
    await harness.crash();
    await harness.restart();
    expect(await exec("a", "dev", ["echo", "hello"])).toMatchObject(ended);
    expect(execs(box.id)).toEqual([first.id]);
    expect(repeats).toEqual(["a", "a"]);
  });

  it("that is another command, or in another box, is refused", async () => {
    const box = await create(undefined, { name: "dev" });
    const other = await create(undefined, { name: "other" });
    await exec("a", "dev", ["echo", "hello"]);
    await expect(exec("a", "dev", ["echo", "bye"])).rejects.toMatchObject(reused);
    await expect(exec("a", "other", ["echo", "hello"])).rejects.toMatchObject(reused);
    expect([execs(box.id).length, execs(other.id).length]).toEqual([1, 0]);
  });

  it("that comes twice at once runs once", async () => {
    const { id } = await create(undefined);
    const hold = harness.engine.controls.hold("exec");
    const both = Promise.all([exec("a", id, ["echo", "hello"]), exec("a", id, ["echo", "hello"])]);
    await hold.reached;
    hold.release();
    const [first, second] = await both;
    expect(second.id).toBe(first.id);
    expect(execs(id)).toEqual([first.id]);
  });

  it("whose box was removed does not run in another box of that name", async () => {
    const { id } = await create(undefined, { name: "dev" });
    await exec("a", "dev", ["echo", "hello"]);
    await harness.core.boxes.remove(id, { force: true });
    await expect(exec("a", "dev", ["echo", "hello"])).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
    const next = await create(undefined, { name: "dev" });
    await expect(exec("a", "dev", ["echo", "hello"])).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
    expect(execs(next.id)).toEqual([]);
  });

  it("that was refused before it was one may be tried again; a create's key is another one", async () => {
    const { id } = await create("a");
    await harness.core.boxes.stop(id);
    await expect(exec("a", id, ["echo", "hello"])).rejects.toMatchObject({ code: "BOX_NOT_RUNNING" });
    await harness.core.boxes.start(id, { signal: never });
    expect(await exec("a", id, ["echo", "hello"])).toMatchObject({ box_id: id });
    expect(repeats).toEqual([]);
  });
});

describe("a run with a key", () => {
  const script = ["sh", "-c", "echo out; echo err >&2; exit 3"];
  const answer = { exit_code: 3, stdout: "out\n", stderr: "err\n", error_message: null };

  it("that comes again is answered as the first one was, also by the next server, and runs once", async () => {
    expect(await run("a", script)).toEqual(answer);
    expect(await run("a", script)).toEqual(answer);
    await harness.crash();
    await harness.restart();
    expect(await run("a", script)).toEqual(answer);
    await expect(run("a", ["true"])).rejects.toMatchObject(reused);
    expect(harness.engine.controls.calls("exec")).toBe(0);
    expect(repeats).toEqual(["a", "a"]);
    expect(boxes()).toEqual([]);
  });

  it("of whose output there is much is answered again with its beginning and its end", async () => {
    const first = await run("a", ["sh", "-c", "seq 200000; echo last"]);
    const again = await run("a", ["sh", "-c", "seq 200000; echo last"]);
    expect(first.truncated).toBeUndefined();
    expect(again).toMatchObject({ exit_code: 0, truncated: true, skipped_bytes: expect.any(Number) });
    expect(again.stdout).toMatch(/^1\n2\n3\n.*\[boxrun: \d+ bytes are left out here.*\n200000\nlast\n$/s);
    expect(again.stdout.length).toBeLessThan(600_000);
    expect(first.stdout.length).toBeGreaterThan(1_000_000);
  });

  it("goes on when its caller has hung up, for who comes back in time", async () => {
    const clock = new TestClock();
    await harness[Symbol.asyncDispose]();
    await open({ clock });
    const hold = harness.engine.controls.hold("exec");
    const caller = new AbortController();
    const first = run("a", script, { caller: caller.signal });
    await hold.reached;
    caller.abort();
    await clock.advance(29_000);
    const again = run("a", script);
    await clock.advance(60_000);
    hold.release();
    expect(await again).toEqual(answer);
    expect(await first).toEqual(answer);
    expect(harness.engine.controls.calls("exec")).toBe(1);
  });

  it("is given up when nobody comes back, and says so to who comes later", async () => {
    const clock = new TestClock();
    await harness[Symbol.asyncDispose]();
    await open({ clock });
    const caller = new AbortController();
    const first = run("a", ["sleep", "1000"], { caller: caller.signal });
    const failed = expect(first).rejects.toMatchObject({ code: "CANCELED" });
    await expect.poll(() => harness.core.boxes.list()[0]?.status).toBe("running");
    const box = boxes()[0] ?? "";
    await expect.poll(() => execs(box)).toHaveLength(1);
    caller.abort();
    await clock.advance(31_000);
    await failed;
    expect(boxes()).toEqual([]);
    const cutOff = { code: "RUNTIME_ERROR", message: expect.stringContaining("was cut off") };
    await expect(run("a", ["sleep", "1000"])).rejects.toMatchObject(cutOff);
  });

  it("in whose middle the server died is not done again once its command was begun, and may be before that", async () => {
    const hold = harness.engine.controls.hold("create");
    run("a", script).catch(() => undefined);
    await hold.reached;
    await harness.crash();
    hold.release();
    await harness.restart();
    expect(await run("a", script)).toEqual(answer);
    run("b", ["sleep", "1000"]).catch(() => undefined);
    await expect.poll(() => boxes().flatMap(execs)).toHaveLength(1);
    await harness.crash();
    await harness.restart();
    await expect(run("b", ["sleep", "1000"])).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
    expect(boxes()).toEqual([]);
    expect(repeats).toEqual(["b"]);
  });

  it("without a box, because its image is not there, may be tried again", async () => {
    await expect(run("a", script, { image: "missing:1" })).rejects.toMatchObject({ code: "IMAGE_PULL_FAILED" });
    expect(await run("a", script)).toEqual(answer);
    expect(repeats).toEqual([]);
  });
});
