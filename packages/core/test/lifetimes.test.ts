import { BoxRunError, createBoxRequestSchema } from "@boxrun/contract";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestClock } from "./support/clock.ts";
import { CoreHarness } from "./support/core.ts";

const hourMs = 3_600_000;
const signal = new AbortController().signal;
let clock: TestClock;
let harness: CoreHarness;

beforeEach(async () => {
  clock = new TestClock();
  harness = await CoreHarness.open({ clock });
});
afterEach(() => harness[Symbol.asyncDispose]());

const statusOf = (id: string) => harness.core.boxes.list().find((box) => box.id === id)?.status;

describe("a box with a lifetime", () => {
  it("says when it expires, and is stopped then", async () => {
    const box = await harness.create({ ttl_seconds: 3600 });
    expect(Date.parse(box.expires_at ?? "")).toBe(clock.now() + hourMs);
    await clock.advance(hourMs - 1000);
    expect(statusOf(box.id)).toBe("running");
    await clock.advance(1000);
    await expect.poll(() => statusOf(box.id)).toBe("stopped");
    // Which of the two it was is to be seen.
    const { expires_at, stopped_at } = harness.core.boxes.get(box.id);
    expect(Date.parse(stopped_at ?? "")).toBeGreaterThanOrEqual(Date.parse(expires_at ?? ""));
  });

  it("has none any more when it is started behind its end", async () => {
    const box = await harness.create({ ttl_seconds: 60 });
    await clock.advance(60_000);
    await expect.poll(() => statusOf(box.id)).toBe("stopped");
    const again = await harness.core.boxes.start(box.id, { signal });
    expect(again.expires_at).toBeUndefined();
    await clock.advance(hourMs);
    expect(statusOf(box.id)).toBe("running");
  });

  it("keeps what is left of it when it is stopped and started before", async () => {
    const box = await harness.create({ ttl_seconds: 3600 });
    await harness.core.boxes.stop(box.id);
    expect((await harness.core.boxes.start(box.id, { signal })).expires_at).toBe(box.expires_at);
    await clock.advance(hourMs);
    await expect.poll(() => statusOf(box.id)).toBe("stopped");
  });

  it("is removed then if it was to be, also when it was stopped before", async () => {
    const boxes = [
      await harness.create({ ttl_seconds: 60, on_expiry: "remove" }),
      await harness.create({ ttl_seconds: 60, on_expiry: "remove" }),
    ];
    await harness.core.boxes.stop(boxes[1]?.id ?? "");
    await clock.advance(60_000);
    await expect.poll(() => harness.core.boxes.list()).toEqual([]);
  });

  it("is ended by the next server, also if its end has come in between", async () => {
    const late = await harness.create({ ttl_seconds: 60 });
    const later = await harness.create({ ttl_seconds: 3600 });
    await harness.crash();
    await clock.advance(120_000);
    await harness.restart();
    await clock.advance(1);
    await expect.poll(() => statusOf(late.id)).toBe("stopped");
    expect(statusOf(later.id)).toBe("running");
    await clock.advance(hourMs);
    await expect.poll(() => statusOf(later.id)).toBe("stopped");
  });

  it("can be given more, less, or no end at all, whatever its state", async () => {
    const box = await harness.create({ ttl_seconds: 60 });
    await harness.core.boxes.extend(box.id, { ttl_seconds: 7200 });
    await clock.advance(hourMs);
    expect(statusOf(box.id)).toBe("running");
    const endless = await harness.core.boxes.extend(box.id, { ttl_seconds: null });
    expect(endless.expires_at).toBeUndefined();
    await clock.advance(10 * hourMs);
    expect(statusOf(box.id)).toBe("running");
    await harness.core.boxes.extend(box.id, { ttl_seconds: 1, on_expiry: "remove" });
    await clock.advance(1000);
    await expect.poll(() => statusOf(box.id)).toBeUndefined();
  });

  it("that can't be stopped is tried again", async () => {
    const box = await harness.create({ ttl_seconds: 60 });
    harness.engine.controls.failNext("stop", new BoxRunError("RUNTIME_ERROR", "not now"));
    await clock.advance(60_000);
    await expect.poll(() => harness.engine.controls.calls("stop")).toBe(1);
    expect(statusOf(box.id)).toBe("running");
    await clock.advance(30_000);
    await expect.poll(() => statusOf(box.id)).toBe("stopped");
  });

  it("is told of in the history, as what the server has done", async () => {
    const server = { kind: "server", uid: null };
    const stopped = await harness.create({ name: "stopped", ttl_seconds: 60 });
    const removed = await harness.create({ name: "removed", ttl_seconds: 60, on_expiry: "remove" });
    await clock.advance(60_000);
    const target = "its time was over";
    const entries = () => harness.store.history.list({ limit: 10 });
    await expect.poll(entries).toHaveLength(2);
    expect(entries()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ boxId: stopped.id, boxName: "stopped", action: "stop", target, caller: server }),
        expect.objectContaining({ boxId: removed.id, boxName: "removed", action: "remove", target, caller: server }),
      ]),
    );
    await harness.core.gc({ older_than: 0 });
    await expect
      .poll(() => entries()[0])
      .toMatchObject({ boxId: stopped.id, action: "remove", target: "gc", caller: server });
  });

  it("tells watchers of each change", async () => {
    const given = new AbortController();
    const events = harness.core.events({ signal: given.signal })[Symbol.asyncIterator]();
    const first = events.next();
    const box = await harness.create({ ttl_seconds: 60 });
    await first;
    const seen: unknown[] = [];
    const reading = (async () => {
      for (let next = await events.next(); !next.done; next = await events.next()) seen.push(next.value);
    })().catch(() => undefined);
    await harness.core.boxes.extend(box.id, { ttl_seconds: 120 });
    await clock.advance(120_000);
    await expect
      .poll(() => seen.at(-1))
      .toMatchObject({ event: "box", data: { status: "stopped", on_expiry: "stop" } });
    given.abort();
    await reading;
  });
});

describe("labels", () => {
  it("pick boxes, all that are asked for, page by page", async () => {
    for (const labels of [{ team: "ci", "app/tier": "web" }, { team: "ci" }, { team: "dev" }, undefined]) {
      await harness.create({ ...(labels && { labels }) });
    }
    const found = (labels: Record<string, string | null>) =>
      harness.core.boxes.page({}, undefined, labels).items.map((box) => box.labels ?? {});
    expect(found({})).toHaveLength(4);
    expect(found({ team: null })).toHaveLength(3);
    expect(found({ team: "ci" })).toHaveLength(2);
    expect(found({ team: "ci", "app/tier": "web" })).toEqual([{ team: "ci", "app/tier": "web" }]);
    expect(found({ team: "" })).toEqual([]);
    const first = harness.core.boxes.page({ limit: 1 }, "running", { team: "ci" });
    const second = harness.core.boxes.page({ limit: 1, cursor: first.next }, "running", { team: "ci" });
    expect([first.items[0]?.labels, second.items[0]?.labels, second.next]).toEqual([
      { team: "ci" },
      { team: "ci", "app/tier": "web" },
      undefined,
    ]);
  });

  it.each([{ "": "x" }, { "-a": "x" }, { a: "line\nbreak" }, { a: "x".repeat(257) }])("can't be %o", (labels) => {
    expect(createBoxRequestSchema.safeParse({ image: "base", labels }).success).toBe(false);
  });
});
