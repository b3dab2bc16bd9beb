import { statSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { DatabaseSync } from "node:sqlite";
import type { Store } from "@boxrun/core";
import { expect, onTestFinished, test, vi } from "vitest";
import { openStore } from "../src/index.ts";
import { temporaryDir } from "./support/fixtures.ts";
import { box, exec, line, stored } from "./support/records.ts";

const lines = 200_000;
const linesPerAppend = 100;

/** Like a program that prints short lines: appended some at a time, a few appends in flight. */
async function fill(store: Store, execId: string): Promise<void> {
  for (let done = 0; done < lines; done += 10 * linesPerAppend) {
    const appends = Array.from({ length: 10 }, (_, append) => {
      const from = done + append * linesPerAppend;
      const events = Array.from({ length: linesPerAppend }, (_, index) => line(`this is line ${from + index}\n`));
      return store.output.append(execId, events, stored(from + linesPerAppend));
    });
    await Promise.all(appends);
  }
}

function countRows(db: DatabaseSync): number {
  return Number(
    db.prepare("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM discarded_output) AS n").get()?.n,
  );
}

test("200,000 lines are stored complete and in order; removing them is at once for the caller, never blocks for long, and gives the space back", async () => {
  const path = join(temporaryDir(), "boxrun.db");
  const store = openStore({ path });
  onTestFinished(() => store.close());
  const db = new DatabaseSync(path);
  onTestFinished(() => db.close());
  store.boxes.insert(box("box_1"));
  store.boxes.insert(box("box_2"));
  store.execs.insert(exec("exec_1", "box_1"));
  store.execs.insert(exec("exec_2", "box_2"));
  await store.output.append("exec_2", [line("kept")], stored(4));

  await fill(store, "exec_1");
  let next = 1;
  for (;;) {
    const events = store.output.read("exec_1", next - 1, 1024 * 1024);
    if (events.length === 0) break;
    for (const event of events) {
      if (event.seq !== next || event.data !== `this is line ${next - 1}\n`) expect.unreachable(`event ${event.seq}`);
      next++;
    }
  }
  expect(next - 1).toBe(lines);
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const fullBytes = statSync(path).size;

  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startedMs = performance.now();
  store.boxes.delete("box_1");
  const callMs = performance.now() - startedMs;
  expect(store.output.read("exec_1", 0, 1)).toEqual([]);
  await vi.waitFor(() => expect(countRows(db)).toBe(1), { timeout: 20_000, interval: 50 });
  delay.disable();
  await vi.waitFor(
    () => {
      db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      expect(statSync(path).size).toBeLessThan(fullBytes / 20);
    },
    { timeout: 20_000, interval: 50 },
  );

  // Generous: other tests share the cores. Alone it is some 10 ms.
  expect(callMs).toBeLessThan(250);
  expect(delay.max / 1e6).toBeLessThan(500);
  expect(store.output.read("exec_2", 0, 100)).toMatchObject([{ seq: 1, data: "kept" }]);
  expect(db.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
});

test("output that a removal left behind when the store closed is collected after the next start", async () => {
  const path = join(temporaryDir(), "boxrun.db");
  let store = openStore({ path });
  onTestFinished(() => store.close());
  store.boxes.insert(box("box_1"));
  store.execs.insert(exec("exec_1", "box_1"));
  await store.output.append(
    "exec_1",
    Array.from({ length: 1_000 }, (_, index) => line(`${index}`)),
    stored(1),
  );
  store.boxes.delete("box_1");
  await store.close();
  const db = new DatabaseSync(path);
  onTestFinished(() => db.close());
  expect(countRows(db)).toBe(1_001);
  store = openStore({ path });
  await vi.waitFor(() => expect(countRows(db)).toBe(0), { timeout: 10_000, interval: 20 });
});

test("a new exec never sees output that waits to be collected, even under the same id", async () => {
  const store = openStore({ path: join(temporaryDir(), "boxrun.db") });
  onTestFinished(() => store.close());
  store.boxes.insert(box("box_1"));
  store.execs.insert(exec("exec_1", "box_1"));
  await store.output.append("exec_1", [line("old")], stored(3));
  store.boxes.delete("box_1");
  store.boxes.insert(box("box_1"));
  store.execs.insert(exec("exec_1", "box_1"));
  await store.output.append("exec_1", [line("new")], stored(3));
  expect(store.output.read("exec_1", 0, 100)).toMatchObject([{ seq: 1, data: "new" }]);
});
