import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test, vi } from "vitest";
import { openStore } from "../src/index.ts";
import { temporaryDir } from "./support/fixtures.ts";

/** They grow with use. */
const step = /^SCAN (boxes|execs|events|discarded_output|sessions|unconfirmed_ends|history|request_keys)\b|TEMP B-TREE/;

test("no statement goes through a table that grows, or sorts what it finds, but those whose answer is all of it or its first row", async () => {
  const path = join(temporaryDir(), "boxrun.db");
  const prepare = vi.spyOn(DatabaseSync.prototype, "prepare");
  onTestFinished(() => prepare.mockRestore());
  const store = openStore({ path });
  const statements = new Set(prepare.mock.calls.map(([sql]) => sql.replaceAll(/\s+/g, " ").trim()));
  await store.close();
  const db = new DatabaseSync(path);
  onTestFinished(() => db.close());
  const costly: string[] = [];
  for (const sql of statements) {
    if (!/^(SELECT|INSERT|UPDATE|DELETE)/.test(sql)) continue;
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all();
    const steps = plan.map(({ detail }) => String(detail)).filter((detail) => step.test(detail));
    if (steps.length > 0) costly.push(`${/FROM (\w+)/.exec(sql)?.[1]}: ${steps.join(", ")}`);
  }
  expect(costly.toSorted()).toEqual([
    "discarded_output: SCAN discarded_output",
    // What runs: an index of its own.
    "execs: SCAN execs USING INDEX execs_running",
    // Its newest row, and so many of the oldest.
    "history: SCAN history",
    "history: SCAN history",
    // The oldest, the newest, and so many of the oldest.
    "request_keys: SCAN request_keys",
    "request_keys: SCAN request_keys",
    "request_keys: SCAN request_keys",
    // The lengths of answers, from an index of nothing else, when a run has ended; and the oldest.
    "request_keys: SCAN request_keys USING COVERING INDEX request_keys_answers",
    "request_keys: SCAN request_keys USING INDEX request_keys_answers",
    // Once, when a server starts.
    "sessions: SCAN sessions, USE TEMP B-TREE FOR ORDER BY",
    "unconfirmed_ends: SCAN unconfirmed_ends USING INDEX unconfirmed_ends_by_box",
  ]);
});
