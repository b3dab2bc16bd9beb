import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { OutputEvent, Store } from "@boxrun/core";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { openStore } from "../src/index.ts";
import { temporaryDir } from "./support/fixtures.ts";
import { box, exec, line, stored, succeeded } from "./support/records.ts";

const kib = 1024;
let path: string;
let store: Store;
let nowMs: number;

function open(retention = { maxAgeMs: 1_000_000, maxTotalBytes: 1024 * kib }): void {
  store = openStore({ path, retention, now: () => nowMs });
}

beforeEach(() => {
  path = join(temporaryDir(), "boxrun.db");
  nowMs = 10_000;
  open();
  onTestFinished(() => store.close());
  store.boxes.insert(box("box_1"));
});

/** An exec of so much output, in pieces of 16 KiB. */
async function run(id: string, bytes: number, finishedAtMs: number | null): Promise<void> {
  store.execs.insert(exec(id, "box_1"));
  const pieces = Array.from({ length: bytes / (16 * kib) }, () => line("x".repeat(16 * kib)));
  await store.output.append(id, pieces, stored(bytes));
  if (finishedAtMs !== null) await store.output.finish(id, { ...succeeded, finishedAtMs });
}

async function reopen(...limits: Parameters<typeof open>): Promise<void> {
  await store.close();
  open(...limits);
}

const kinds = (id: string) => {
  const all: OutputEvent[] = [];
  for (let more = store.output.read(id, 0, 1); more.length > 0; more = store.output.read(id, all.at(-1)?.seq ?? 0, 1)) {
    all.push(...more);
  }
  return [...new Set(all.map(({ kind }) => kind))].join(" ");
};
const isDeleted = async (id: string) => {
  const db = new DatabaseSync(path, { readOnly: true });
  const rows = db.prepare("SELECT count(*) AS n FROM events WHERE exec_key = (SELECT key FROM execs WHERE id = ?)");
  await vi.waitFor(() => expect(rows.get(id)?.n).toBe(1), { timeout: 10_000, interval: 20 });
  db.close();
};

describe("output of execs that have ended", () => {
  test("goes when all of it is too much, the oldest first, and a gap shows where it was; the file shrinks", async () => {
    await run("exec_old", 640 * kib, 3_000);
    await run("exec_new", 640 * kib, 4_000);
    const before = store.output.totalBytes();
    await reopen();
    await isDeleted("exec_old");
    expect(kinds("exec_old")).toBe("gap exit");
    expect(store.output.read("exec_old", 0, kib)).toEqual([
      { kind: "gap", seq: 40, bytes: 640 * kib, data: expect.stringContaining(`${640 * kib} bytes`) },
      { kind: "exit", seq: 41, data: succeeded.exitData },
    ]);
    expect(kinds("exec_new")).toBe("log exit");
    expect(store.output.totalBytes()).toBe(before / 2);
    const db = new DatabaseSync(path);
    onTestFinished(() => db.close());
    await vi.waitFor(
      () => {
        db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
        expect(statSync(path).size).toBeLessThan(900 * kib);
      },
      { timeout: 10_000, interval: 20 },
    );
  });

  test("goes when it is too old", async () => {
    await run("exec_old", 16 * kib, 3_000);
    await run("exec_new", 16 * kib, 900_000);
    nowMs = 1_500_000;
    await reopen();
    await isDeleted("exec_old");
    expect([kinds("exec_old"), kinds("exec_new")]).toEqual(["gap exit", "log exit"]);
  });

  test("goes when somebody wants its room", async () => {
    await run("exec_old", 160 * kib, 3_000);
    await run("exec_new", 160 * kib, 4_000);
    const total = store.output.totalBytes();
    expect(await store.output.expire(4_000)).toBe(total / 2);
    expect(await store.output.expire(4_000)).toBe(0);
    await isDeleted("exec_old");
    expect([kinds("exec_old"), kinds("exec_new")]).toEqual(["gap exit", "log exit"]);
  });
});

test("output of an exec that runs stays, however much it is", async () => {
  await run("exec_running", 2048 * kib, null);
  await run("exec_ended", 16 * kib, 3_000);
  await reopen();
  await isDeleted("exec_ended");
  expect(kinds("exec_running")).toBe("log");
});

test("the sum of all output follows what is added, given up and removed", async () => {
  await run("exec_1", 160 * kib, 3_000);
  await run("exec_2", 48 * kib, null);
  const cost = 24;
  expect(store.output.totalBytes()).toBe(208 * kib + 13 * cost);
  await store.output.append("exec_2", [], stored(48 * kib), { bytes: 40 * kib, untilSeq: null });
  expect(store.output.totalBytes()).toBe(192 * kib + 12 * cost);
  await store.output.expire(Number.MAX_SAFE_INTEGER);
  expect(store.output.totalBytes()).toBe(32 * kib + 2 * cost);
  store.boxes.delete("box_1");
  expect(store.output.totalBytes()).toBe(0);
});
