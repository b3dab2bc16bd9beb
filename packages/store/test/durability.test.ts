import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { Database, durable } from "../src/database.ts";
import { temporaryDir } from "./support/fixtures.ts";

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
