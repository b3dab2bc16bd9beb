import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { BoxRunError } from "@boxrun/contract";
import type { Store } from "@boxrun/core";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { openStore } from "../src/index.ts";
import { temporaryDir, thrownBy } from "./support/fixtures.ts";
import { box, exec } from "./support/records.ts";

const limits = { maxAgeMs: 1_000, maxKeys: 300, maxAnswers: 100 };
let path: string;
let store: Store;
let nowMs: number;

const key = (digest: string) => ({ digest, fingerprint: `of ${digest}` });

function open(): void {
  store = openStore({ path, keys: limits, now: () => nowMs });
}

async function reopen(): Promise<void> {
  await store.close();
  open();
}

beforeEach(() => {
  path = join(temporaryDir(), "boxrun.db");
  nowMs = 10_000;
  open();
  onTestFinished(() => store.close());
});

test("a key is stored with the box or exec that was made for it, and outlives that", async () => {
  store.boxes.insert(box("box_1"), key("a"));
  store.execs.insert(exec("exec_1", "box_1"), key("b"));
  store.boxes.delete("box_1");
  await reopen();
  expect(store.keys.get("a")).toEqual({ ...key("a"), boxId: "box_1", execId: null, answer: null });
  expect(store.keys.get("b")).toEqual({ ...key("b"), boxId: "box_1", execId: "exec_1", answer: null });
  expect(store.keys.get("c")).toBeUndefined();
});

test("of a box or exec that can't be stored no key is left", () => {
  store.boxes.insert(box("box_1", { name: "dev" }));
  const taken = thrownBy(() => store.boxes.insert(box("box_2", { name: "dev" }), key("a")));
  const gone = thrownBy(() => store.execs.insert(exec("exec_1", "box_3"), key("b")));
  expect([taken, gone].map((error) => error instanceof BoxRunError && error.code)).toEqual([
    "NAME_ALREADY_EXISTS",
    "BOX_NOT_FOUND",
  ]);
  expect([store.keys.get("a"), store.keys.get("b")]).toEqual([undefined, undefined]);
});

test("a key that is too old is free, and what is used again is new", () => {
  store.boxes.insert(box("box_1"), key("a"));
  nowMs += 1_000;
  expect(store.keys.get("a")).toBeDefined();
  nowMs += 1;
  expect(store.keys.get("a")).toBeUndefined();
  store.boxes.insert(box("box_2"), key("a"));
  expect(store.keys.get("a")).toMatchObject({ boxId: "box_2" });
});

test("keys that are too old or too many are deleted by and by, the oldest first", async () => {
  const count = () => {
    const db = new DatabaseSync(path, { readOnly: true });
    const row = db.prepare("SELECT count(*) AS n, min(digest) AS first FROM request_keys").get();
    db.close();
    return { ...row };
  };
  store.boxes.insert(box("box_1"));
  const add = (from: number, to: number) => {
    for (let n = from; n < to; n += 1) store.execs.insert(exec(`exec_${n}`, "box_1"), key(String(n)));
  };
  add(1_000, 1_100);
  nowMs += 600;
  add(1_100, 1_200);
  nowMs += 600;
  await reopen();
  await expect.poll(count, { timeout: 10_000 }).toEqual({ n: 100, first: "1100" });
  add(1_200, 2_000);
  await reopen();
  await expect.poll(count, { timeout: 10_000 }).toEqual({ n: 300, first: "1700" });
});

test("an answer is kept with its key; where all are too much, the oldest go", async () => {
  store.boxes.insert(box("box_1"));
  for (const name of ["a", "b", "c"]) {
    store.execs.insert(exec(`exec_${name}`, "box_1"), key(name));
    store.keys.answer(name, name.repeat(40));
  }
  await reopen();
  expect(["a", "b", "c"].map((name) => store.keys.get(name)?.answer)).toEqual([
    undefined,
    "b".repeat(40),
    "c".repeat(40),
  ]);
});
