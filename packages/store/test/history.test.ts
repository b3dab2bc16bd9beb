import { join } from "node:path";
import type { NewHistoryRecord } from "@boxrun/core";
import { expect, onTestFinished, test } from "vitest";
import { openStore } from "../src/index.ts";
import { temporaryDir } from "./support/fixtures.ts";

const entry: NewHistoryRecord = {
  atMs: 0,
  boxId: "box_a",
  boxName: null,
  action: "start",
  target: null,
  cmd: null,
  execId: null,
  caller: { kind: "token", uid: null },
  userAgent: null,
  errorCode: null,
};

test("of the history the oldest goes, when it is too old or too much", () => {
  let now = 1_000;
  const history = { maxAgeMs: 100, maxEntries: 3 };
  const store = openStore({ path: join(temporaryDir(), "boxrun.db"), history, now: () => now });
  onTestFinished(() => store.close());
  const add = (atMs: number) => store.history.append({ ...entry, atMs });
  const kept = () => store.history.list({ limit: 10 }).map(({ atMs }) => atMs);
  for (const atMs of [1_000, 1_001, 1_002, 1_003, 1_004]) add(atMs);
  expect(kept()).toEqual([1_004, 1_003, 1_002]);
  now = 1_103;
  add(1_103);
  expect(kept()).toEqual([1_103, 1_004, 1_003]);
  now = 5_000;
  add(5_000);
  expect(kept()).toEqual([5_000]);
  expect(store.history.list({ limit: 10 })[0]?.seq).toBe(7);
});

test("what was written when the store is closed is there when it is opened again", async () => {
  const path = join(temporaryDir(), "boxrun.db");
  const store = openStore({ path });
  store.history.append({ ...entry, cmd: ["ls", "-l"], boxName: "dev" });
  await store.close();
  const next = openStore({ path });
  onTestFinished(() => next.close());
  expect(next.history.list({ box: { name: "dev" }, limit: 1 })).toMatchObject([{ cmd: ["ls", "-l"], boxId: "box_a" }]);
  expect(next.history.list({ box: { id: "box_b" }, limit: 1 })).toEqual([]);
});
