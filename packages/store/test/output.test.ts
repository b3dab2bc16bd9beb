import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { OutputEvent, Store } from "@boxrun/core";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { openStore } from "../src/index.ts";
import { temporaryDir } from "./support/fixtures.ts";
import { box, exec, line, stored, succeeded } from "./support/records.ts";
import { countCommits } from "./support/wal.ts";

let path: string;
let store: Store;

beforeEach(() => {
  path = join(temporaryDir(), "boxrun.db");
  store = openStore({ path });
  onTestFinished(() => store.close());
  store.boxes.insert(box("box_1"));
  store.execs.insert(exec("exec_1", "box_1"));
  store.execs.insert(exec("exec_2", "box_1"));
});

const everything = Number.MAX_SAFE_INTEGER;
/** Reads on as one who follows does, a little at a time, to where there is no more. */
const seqOfLast = (from: Store, execId: string, after: number): number => {
  const [next] = from.output.read(execId, after, 500_000).slice(-1);
  return next === undefined ? after : seqOfLast(from, execId, next.seq);
};
const dataOf = (events: readonly OutputEvent[]) => events.map(({ data }) => data);

describe("append and finish", () => {
  test("events get sequence numbers from 1 without gaps, each exec its own, and the exit event is the last", async () => {
    await Promise.all([
      store.output.append("exec_1", [line("a"), line("b", { stream: "stderr" })], stored(2)),
      store.output.append("exec_2", [line("x", { base64: true })], stored(1)),
      store.output.append("exec_1", [line("c")], stored(3)),
      store.output.finish("exec_1", succeeded),
    ]);
    expect(store.output.read("exec_1", 0, everything)).toEqual([
      {
        kind: "log",
        seq: 1,
        stream: "stdout",
        data: "a",
        base64: false,
        truncated: false,
        atMs: 1_000,
        position: 0,
        bytes: 1,
      },
      {
        kind: "log",
        seq: 2,
        stream: "stderr",
        data: "b",
        base64: false,
        truncated: false,
        atMs: 1_000,
        position: 1,
        bytes: 1,
      },
      {
        kind: "log",
        seq: 3,
        stream: "stdout",
        data: "c",
        base64: false,
        truncated: false,
        atMs: 1_000,
        position: 2,
        bytes: 1,
      },
      { kind: "exit", seq: 4, data: '{"exit_code":0}' },
    ]);
    expect(store.output.read("exec_2", 0, everything)).toEqual([
      {
        kind: "log",
        seq: 1,
        stream: "stdout",
        data: "x",
        base64: true,
        truncated: false,
        atMs: 1_000,
        position: 0,
        bytes: 1,
      },
    ]);
  });

  test("all that is queued in one turn of the event loop is one transaction", async () => {
    const before = countCommits(`${path}-wal`);
    await Promise.all(
      Array.from({ length: 500 }, (_, index) =>
        store.output.append(index % 2 === 0 ? "exec_1" : "exec_2", [line(`${index}`)], stored(index)),
      ),
    );
    expect(countCommits(`${path}-wal`) - before).toBe(1);
    await store.output.append("exec_1", [line("next turn")], stored(1_000));
    expect(countCommits(`${path}-wal`) - before).toBe(2);
  });

  test("much of it is several transactions, and others get their turn between them", async () => {
    const megabyte = "x".repeat(1024 * 1024);
    let turn = 0;
    let writing = true;
    const countTurns = () => {
      turn += 1;
      if (writing) setImmediate(countTurns);
    };
    countTurns();
    const settledIn = await Promise.all(
      Array.from({ length: 32 }, (_, n) => store.output.append("exec_1", [line(megabyte)], stored(n)).then(() => turn)),
    );
    writing = false;
    expect(new Set(settledIn).size).toBeGreaterThanOrEqual(16);
    expect(store.output.read("exec_1", 0, everything).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 32 }, (_, n) => n + 1),
    );
  });

  test("while another process holds the file, writes are refused soon, those of an exec all behind the first", async () => {
    const other = new DatabaseSync(path);
    onTestFinished(() => other.close());
    other.exec("BEGIN IMMEDIATE");
    const results = await Promise.allSettled(
      ["a", "b"].map((data) => store.output.append("exec_1", [line(data)], stored(1))),
    );
    for (const result of results) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "RUNTIME_ERROR", details: { busy: true } } });
    }
    other.exec("ROLLBACK");
    await store.output.append("exec_1", [line("c")], stored(1));
    expect(dataOf(store.output.read("exec_1", 0, everything))).toEqual(["c"]);
  });

  test("promises settle in the order of the calls, and only after another connection can see the event", async () => {
    const other = new DatabaseSync(path, { readOnly: true });
    onTestFinished(() => other.close());
    const count = other.prepare("SELECT count(*) AS n FROM events");
    const settled: string[] = [];
    const queued = ["a", "b", "c"].map(async (name, index) => {
      await store.output.append("exec_1", [line(name)], stored(index));
      settled.push(`${name} ${count.get()?.n}`);
    });
    expect(count.get()?.n).toBe(0);
    await Promise.all(queued);
    expect(settled).toEqual(["a 3", "b 3", "c 3"]);
  });

  test("progress is committed with its events, and moves without any", async () => {
    expect(store.output.progress("exec_1")).toEqual(stored(0));
    const later = { offsets: { stdout: 900, stderr: 80 }, awaitedSeq: 1 };
    await store.output.append("exec_1", [line("0123456789")], stored(10));
    expect(store.output.progress("exec_1")).toEqual(stored(10));
    await store.output.append("exec_1", [], later);
    expect(store.output.progress("exec_1")).toEqual(later);
    await store.close();
    store = openStore({ path });
    expect(store.output.progress("exec_1")).toEqual(later);
  });

  test("a reopened store goes on with the next sequence number", async () => {
    await store.output.append("exec_1", [line("a"), line("b")], stored(2));
    await store.close();
    store = openStore({ path });
    await store.output.append("exec_1", [line("c")], stored(3));
    expect(store.output.read("exec_1", 2, everything)).toMatchObject([{ seq: 3, data: "c" }]);
  });

  test("finish stores the row and the exit event together, and a second finish changes nothing", async () => {
    const failed = { ...succeeded, status: "failed", exitCode: 3, errorMessage: "no", exitData: "{}" } as const;
    await Promise.all([store.output.finish("exec_1", failed), store.output.finish("exec_1", succeeded)]);
    await store.output.finish("exec_1", succeeded);
    expect(store.execs.get("exec_1")).toEqual(
      exec("exec_1", "box_1", { status: "failed", exitCode: 3, errorMessage: "no", finishedAtMs: 2_000 }),
    );
    expect(store.output.read("exec_1", 0, everything)).toEqual([{ kind: "exit", seq: 1, data: "{}" }]);
    expect(store.execs.running().map(({ id }) => id)).toEqual(["exec_2"]);
  });

  test("output that comes along with the end is stored with it", async () => {
    const last = { events: [line("b"), line("c", { stream: "stderr" })], progress: stored(2) };
    await Promise.all([
      store.output.append("exec_1", [line("a")], stored(1)),
      store.output.finish("exec_1", { ...succeeded, last }),
    ]);
    expect(dataOf(store.output.read("exec_1", 0, everything))).toEqual(["a", "b", "c", succeeded.exitData]);
    expect(store.output.progress("exec_1")).toEqual(stored(2));
    await store.output.finish("exec_1", { ...succeeded, last });
    expect(store.output.read("exec_1", 0, everything)).toHaveLength(4);
  });

  test("output behind the exit event is refused, and the rest of its batch is stored", async () => {
    const [finished, late, other] = await Promise.allSettled([
      store.output.finish("exec_1", succeeded),
      store.output.append("exec_1", [line("late")], stored(4)),
      store.output.append("exec_2", [line("fine")], stored(4)),
    ]);
    expect(finished?.status).toBe("fulfilled");
    expect(late).toMatchObject({ status: "rejected", reason: { code: "EXEC_ALREADY_FINISHED" } });
    expect(other?.status).toBe("fulfilled");
    expect(dataOf(store.output.read("exec_2", 0, everything))).toEqual(["fine"]);
  });

  test("a write for an exec whose box was removed meanwhile is a no-op", async () => {
    const queued = store.output.append("exec_1", [line("a")], stored(1));
    store.boxes.delete("box_1");
    await queued;
    await store.output.append("exec_1", [line("b")], stored(2));
    await store.output.finish("exec_1", succeeded);
    expect(store.output.read("exec_1", 0, everything)).toEqual([]);
    expect(store.output.progress("exec_1")).toEqual(stored(0));
  });

  test("close writes what is queued; afterwards writes are refused", async () => {
    const queued = store.output.append("exec_1", [line("last words")], stored(10));
    await store.close();
    await queued;
    await expect(store.output.append("exec_1", [line("too late")], stored(11))).rejects.toMatchObject({
      code: "RUNTIME_ERROR",
      message: expect.stringContaining(path),
    });
    store = openStore({ path });
    expect(dataOf(store.output.read("exec_1", 0, everything))).toEqual(["last words"]);
  });
});

describe("a limit", () => {
  const letters = "abcdefghij";
  const append = async (limit: { bytes: number; untilSeq: number | null }) => {
    let kept = 0;
    for (const [n, letter] of [...letters].entries()) {
      kept = await store.output.append("exec_1", [line(letter.repeat(76))], stored((n + 1) * 76), limit);
    }
    return kept;
  };
  const seqsOf = (events: readonly OutputEvent[]) => events.map(({ kind, seq }) => `${kind} ${seq}`);

  test("takes from the middle, oldest first, and the gap says how many bytes", async () => {
    // Each costs 100 bytes.
    expect(await append({ bytes: 400, untilSeq: null })).toBe(400);
    const events = store.output.read("exec_1", 0, everything);
    expect(seqsOf(events)).toEqual(["log 1", "log 2", "gap 8", "log 9", "log 10"]);
    expect(events[2]).toMatchObject({ bytes: 6 * 76 });
    expect(store.output.read("exec_1", 2, everything)).toEqual(events.slice(2));
  });

  test("tells who is in the midst of the gap what is missing from there", async () => {
    await append({ bytes: 400, untilSeq: null });
    expect(store.output.read("exec_1", 5, everything, 5 * 76)[0]).toMatchObject({ kind: "gap", seq: 8, bytes: 3 * 76 });
    expect(store.output.read("exec_1", 5, everything)[0]).toMatchObject({ kind: "gap", seq: 8, bytes: 6 * 76 });
    expect(seqsOf(store.output.read("exec_1", 8, everything))).toEqual(["log 9", "log 10"]);
  });

  test("leaves what is still awaited", async () => {
    expect(await append({ bytes: 400, untilSeq: 4 })).toBe(800);
    expect(seqsOf(store.output.read("exec_1", 2, everything))).toEqual([
      "gap 4",
      ...[5, 6, 7, 8, 9, 10].map((n) => `log ${n}`),
    ]);
    expect(await store.output.append("exec_1", [], stored(760), { bytes: 400, untilSeq: null })).toBe(400);
  });

  test("never takes the newest, nor the only event", async () => {
    const limit = { bytes: 10, untilSeq: null };
    await store.output.append("exec_1", [line("first, and long")], stored(15), limit);
    expect(seqsOf(store.output.read("exec_1", 0, everything))).toEqual(["log 1"]);
    await store.output.append("exec_1", [line("second"), line("third")], stored(26), limit);
    expect(seqsOf(store.output.read("exec_1", 1, everything))).toEqual(["gap 2", "log 3"]);
  });

  test("holds over a restart", async () => {
    await append({ bytes: 400, untilSeq: null });
    await store.close();
    store = openStore({ path });
    expect(
      await store.output.append("exec_1", [line("k".repeat(76))], stored(836), { bytes: 400, untilSeq: null }),
    ).toBe(400);
    expect(seqsOf(store.output.read("exec_1", 2, everything))).toEqual(["gap 9", "log 10", "log 11"]);
  });
});

describe("read", () => {
  test("whoever follows gets what is in the file, wherever it stands, with a limit and without, from more commands than fit into memory", async () => {
    const limits = { exec_1: undefined, exec_2: { bytes: 300_000, untilSeq: null } } as const;
    let written = 0;
    for (let round = 1; round <= 60; round += 1) {
      const id = round % 3 === 0 ? "exec_2" : "exec_1";
      const events = Array.from({ length: 1 + (round % 4) }, (_, nth) => line(`${round}.${nth} `.repeat(20_000)));
      written += events.reduce((sum, { bytes }) => sum + bytes, 0);
      await store.output.append(id, events, stored(written), limits[id]);
      if (round % 6 !== 0) continue;
      // One that has only the file.
      const other = openStore({ path });
      try {
        for (const execId of ["exec_1", "exec_2"] as const) {
          const all = other.output.read(execId, 0, everything);
          const last = all.at(-1)?.seq ?? 0;
          for (let after = 0; after <= last; after += 1) {
            const [next] = store.output.read(execId, after, 1);
            expect(next).toEqual(other.output.read(execId, after, 1)[0]);
            expect(seqOfLast(store, execId, after)).toBe(last);
          }
        }
      } finally {
        await other.close();
      }
    }
    await store.output.finish("exec_2", succeeded);
    expect(store.output.read("exec_2", 0, everything).at(-1)).toMatchObject({ kind: "exit" });
  });

  test.each(["", "\0a\0", "äöü€😀", "\uFEFFbom", "\r\n\x1b[0m", "x".repeat(100_000)])(
    "text comes back as it was: %j",
    async (data) => {
      await store.output.append("exec_1", [line(data)], stored(1));
      expect(dataOf(store.output.read("exec_1", 0, everything))).toEqual([data]);
    },
  );

  test("it starts behind `after` and stops at about maxBytes, but gives at least one event", async () => {
    await store.output.append(
      "exec_1",
      ["aaaa", "bbbb", "cccc", "dddd"].map((data) => line(data)),
      stored(16),
    );
    expect(dataOf(store.output.read("exec_1", 1, everything))).toEqual(["bbbb", "cccc", "dddd"]);
    expect(dataOf(store.output.read("exec_1", 0, 8))).toEqual(["aaaa", "bbbb"]);
    expect(dataOf(store.output.read("exec_1", 2, 1))).toEqual(["cccc"]);
    expect(store.output.read("exec_1", 4, everything)).toEqual([]);
    expect(store.output.read("exec_none", 0, everything)).toEqual([]);
  });

  test("a read that stops early leaves no transaction open that would keep the log from being emptied", async () => {
    await store.output.append("exec_1", [line("a"), line("b")], stored(2));
    expect(dataOf(store.output.read("exec_1", 0, 1))).toEqual(["a"]);
    const other = new DatabaseSync(path);
    onTestFinished(() => other.close());
    expect(other.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()).toMatchObject({ busy: 0 });
    expect(statSync(`${path}-wal`).size).toBe(0);
  });
});
