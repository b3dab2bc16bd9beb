import { statSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { runRequestSchema } from "@boxrun/contract";
import { afterEach, describe, expect, it } from "vitest";
import type { OutputEvent } from "../src/index.ts";
import { CoreHarness, never } from "./support/core.ts";

const kib = 1024;
const mib = 1024 * kib;
const limitBytes = mib;
/** Far more than the limit. */
const chunks = 192;
const chunkBytes = 64 * kib;
const total = chunks * chunkBytes;

let harness: CoreHarness;
let box: string;
/** How much the program has written. */
let written: number;
afterEach(() => harness[Symbol.asyncDispose]());

/** Bytes that tell where they belong, and that are no UTF-8. */
function chunk(number: number): Buffer {
  const bytes = Buffer.alloc(chunkBytes, 0xf5);
  for (let at = 0; at < chunkBytes; at += 1024) bytes.writeUInt32BE(number * chunkBytes + at, at);
  return bytes;
}
const whole = () => Buffer.concat(Array.from({ length: chunks }, (_, number) => chunk(number)));

async function open(options: { readonly readerStallMs?: number } = {}): Promise<void> {
  written = 0;
  harness = await CoreHarness.open({
    ...options,
    outputLimitBytes: limitBytes,
    engine: {
      programs: {
        flood: async ({ stdout, killed }) => {
          for (let number = 0; number < chunks && !killed.aborted; number += 1) {
            await stdout(chunk(number));
            written += chunkBytes;
          }
          return 0;
        },
      },
    },
  });
  box = (await harness.create()).id;
}

const flood = () => harness.start(box, ["flood"]);
const follow = (id: string, after = 0) => harness.core.execs.events(id, { after, signal: never });

/** What an event holds; of a gap, as many zeros. */
function bytesOf(event: OutputEvent): Buffer {
  if (event.kind === "gap") return Buffer.alloc(event.bytes);
  return event.kind === "log" ? Buffer.from(event.data, event.base64 ? "base64" : "utf8") : Buffer.alloc(0);
}
const bytesIn = (events: readonly OutputEvent[]) => Buffer.concat(events.map(bytesOf));
const gaps = (events: readonly OutputEvent[]) => events.filter((event) => event.kind === "gap");

async function rest(reader: AsyncIterator<readonly OutputEvent[]>, onBatch: () => unknown = nextTurn) {
  const events: OutputEvent[] = [];
  for (let next = await reader.next(); !next.done; next = await reader.next()) {
    events.push(...next.value);
    await onBatch();
  }
  return events;
}

/** Waits until the program has stopped writing: it waits for somebody, or it has ended. */
async function untilStill(): Promise<number> {
  for (let before = -1; before !== written; ) {
    before = written;
    for (let turn = 0; turn < 200; turn += 1) await nextTurn();
  }
  return written;
}

/** The log beside it has a limit of its own. */
const fileBytes = () => statSync(join(harness.directory, "boxrun.db")).size;

describe("a reader that follows", () => {
  it("gets every byte of an output far beyond the limit, and the file stays small", async () => {
    await open();
    const exec = await flood();
    let largest = 0;
    const events = await rest(follow(exec.id), async () => {
      largest = Math.max(largest, fileBytes());
      await nextTurn();
    });
    expect(gaps(events)).toEqual([]);
    expect(bytesIn(events).equals(whole())).toBe(true);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(largest).toBeLessThan(8 * limitBytes);
  });

  it("slows the program down to its own pace", async () => {
    await open();
    const exec = await flood();
    const reader = follow(exec.id);
    const first = await reader.next();
    expect(await untilStill()).toBeLessThan(6 * mib);
    expect(bytesIn([...(first.value ?? []), ...(await rest(reader))]).equals(whole())).toBe(true);
  });

  it("gets what it has not seen when its connection was lost for a moment", async () => {
    await open();
    const exec = await flood();
    const events: OutputEvent[] = [];
    for (let connection = 0; connection < 5; connection += 1) {
      const reader = follow(exec.id, events.at(-1)?.seq ?? 0);
      for (let batch = 0; batch < 20; batch += 1) events.push(...((await reader.next()).value ?? []));
      // What was on its way is lost with the connection.
      events.pop();
      await reader.return?.(undefined);
      await untilStill();
    }
    events.push(...(await rest(follow(exec.id, events.at(-1)?.seq))));
    expect(gaps(events)).toEqual([]);
    expect(bytesIn(events).equals(whole())).toBe(true);
  });

  it("gets it also when the server is killed meanwhile, and takes a moment to come back", async () => {
    await open();
    const exec = await flood();
    const events: OutputEvent[] = [];
    for (let server = 0; server < 3; server += 1) {
      const reader = follow(exec.id, events.at(-1)?.seq ?? 0);
      for (let batch = 0; batch < 30; batch += 1) events.push(...((await reader.next()).value ?? []));
      await harness.crash();
      await harness.restart();
      await untilStill();
    }
    events.push(...(await rest(follow(exec.id, events.at(-1)?.seq))));
    expect(gaps(events)).toEqual([]);
    expect(bytesIn(events).equals(whole())).toBe(true);
  });

  it("that stands still is not waited for, and is told how much it has missed", async () => {
    await open({ readerStallMs: 1_000 });
    const exec = await flood();
    const still = follow(exec.id);
    const first = (await still.next()).value ?? [];
    const moving = await rest(follow(exec.id));
    expect(bytesIn(moving).equals(whole())).toBe(true);
    const late = [...first, ...(await rest(still))];
    expect(gaps(late)).toHaveLength(1);
    const bytes = bytesIn(late);
    expect(bytes.length).toBe(total);
    const gap = late.findIndex(({ kind }) => kind === "gap");
    const tail = bytesIn(late.slice(gap + 1));
    expect(tail.equals(whole().subarray(total - tail.length))).toBe(true);
  });

  it("does not hold up the end of a box", async () => {
    await open();
    const exec = await flood();
    const reader = follow(exec.id);
    await reader.next();
    await untilStill();
    await harness.core.boxes.stop(box);
    expect(harness.core.execs.get(box, exec.id).status).toBe("failed");
    expect((await rest(reader)).at(-1)?.kind).toBe("exit");
  });
});

describe("output that nobody follows", () => {
  it("keeps its beginning and its end, within the limit, and says how much is missing between", async () => {
    await open();
    const exec = await flood();
    await harness.core.execs.wait(box, exec.id);
    const events = await harness.events(box, exec.id);
    const [gap] = gaps(events);
    expect(gaps(events)).toHaveLength(1);
    expect(gap).toMatchObject({ seq: expect.any(Number), data: expect.stringContaining(`${gap?.bytes} bytes`) });
    const at = events.findIndex(({ kind }) => kind === "gap");
    const [head, tail] = [bytesIn(events.slice(0, at)), bytesIn(events.slice(at + 1))];
    expect(head.length + tail.length).toBeLessThanOrEqual(limitBytes);
    expect(Math.min(head.length, tail.length)).toBeGreaterThan(limitBytes / 4);
    expect(head.length + (gap?.bytes ?? 0) + tail.length).toBe(total);
    expect(head.equals(whole().subarray(0, head.length))).toBe(true);
    expect(tail.equals(whole().subarray(total - tail.length))).toBe(true);
    expect(events.at(-1)?.kind).toBe("exit");
  });

  it("is told of to who resumes within what is missing, and behind it goes on as ever", async () => {
    await open();
    const exec = await flood();
    await harness.core.execs.wait(box, exec.id);
    const all = await harness.events(box, exec.id);
    const at = all.findIndex(({ kind }) => kind === "gap");
    const within = (all[at]?.seq ?? 0) - 1;
    expect(await harness.events(box, exec.id, within)).toEqual(all.slice(at));
    expect(await harness.events(box, exec.id, all[at]?.seq)).toEqual(all.slice(at + 1));
  });

  it("is cut in the answer to a run, which says so", async () => {
    await open();
    const request = runRequestSchema.parse({ image: "base", cmd: ["flood"] });
    const answer = await harness.core.run(request, { signal: never });
    expect(answer).toMatchObject({ exit_code: 0, truncated: true, skipped_bytes: expect.any(Number) });
    expect(answer.skipped_bytes).toBeGreaterThan(total - limitBytes);
    expect(answer.stderr).toContain(`${answer.skipped_bytes} bytes`);
    const short = await harness.core.run(runRequestSchema.parse({ image: "base", cmd: ["echo", "all"] }), {
      signal: never,
    });
    expect(short).toEqual({ exit_code: 0, stdout: "all\n", stderr: "", error_message: null });
  });
});
