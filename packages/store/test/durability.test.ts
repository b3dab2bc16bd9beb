import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { Database, durable } from "../src/database.ts";
import { openStore } from "../src/index.ts";
import { temporaryDir } from "./support/fixtures.ts";
import { box } from "./support/records.ts";

/** SQLite's numbers for `PRAGMA synchronous`. */
const [normal, full] = [1, 2];

test("what is durable is written with a flush of the disk, also if it fails, and everything else without", () => {
  const db = new Database(join(temporaryDir(), "boxrun.db"));
  onTestFinished(() => db.close());
  const level = db.query("ask", "PRAGMA synchronous", z.object({ synchronous: z.int() }));
  const now = () => level.get()?.synchronous;
  expect(now()).toBe(normal);
  expect(db.durably("try", now)).toBe(full);
  expect(now()).toBe(normal);
  const put = durable(db, "put", "INSERT INTO images VALUES (?, 'd', 1, '{}', 1)");
  put("a");
  expect(() => put("a")).toThrow(/UNIQUE/);
  expect(now()).toBe(normal);
});

test("what becomes known of a box while it is created waits for the flush of what it becomes; anything that is promised does not", () => {
  const store = openStore({ path: join(temporaryDir(), "boxrun.db") });
  onTestFinished(() => store.close());
  const flushes = vi.spyOn(Database.prototype, "durably");
  onTestFinished(() => flushes.mockRestore());
  const flushesOf = (work: () => unknown) => {
    flushes.mockClear();
    work();
    return flushes.mock.calls.length;
  };
  const { id } = box("box_new000000000", { status: "creating" });
  expect(flushesOf(() => store.boxes.insert(box(id, { status: "creating" })))).toBe(1);
  expect(flushesOf(() => store.boxes.update(id, { imageDigest: "sha256:00" }))).toBe(0);
  expect(flushesOf(() => store.boxes.update(id, { expiresAtMs: 5 }))).toBe(1);
  expect(flushesOf(() => store.boxes.update(id, { status: "running" }))).toBe(1);
  expect(flushesOf(() => store.boxes.update(id, { engineId: "vm-1" }))).toBe(1);
});
