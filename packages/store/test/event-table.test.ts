import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { openStore } from "../src/index.ts";
import { migrate } from "../src/migrations.ts";
import { temporaryDir } from "./support/fixtures.ts";
import { line, stored } from "./support/records.ts";

const gb = 1024 ** 3;
const exit = '{"exit_code":0}';

/** A database with events in the form in which migrations make their table: one exec that has ended, one that runs. */
function makeOld(totalBytes: number): string {
  const path = join(temporaryDir(), "boxrun.db");
  const db = new DatabaseSync(path);
  db.exec("PRAGMA auto_vacuum = INCREMENTAL");
  migrate(db);
  db.exec(`INSERT INTO boxes (id, status, image, cpu, memory_mb, disk_size_gb, network, workdir, engine, created_at_ms)
    VALUES ('box_1', 'running', 'base', 1, 128, 1, 0, '/', 'qemu', 1)`);
  const exec = `INSERT INTO execs (id, box_id, status, cmd, tty, stdin, created_at_ms, next_seq, stdout_offset, stored_bytes)`;
  db.exec(
    `${exec} VALUES ('ended', 'box_1', 'succeeded', '[]', 0, 0, 1, 4, 6, 6), ('runs', 'box_1', 'running', '[]', 0, 0, 1, 2, 5, 5)`,
  );
  const event = "INSERT INTO events (exec_key, seq, kind, base64, truncated, data, at_ms, position)";
  db.exec(`${event} VALUES (1, 1, 1, 0, 0, 'one', 7, 0), (1, 2, 2, 1, 0, 'AP8K', 8, 3), (1, 3, 0, 0, 0, '${exit}', NULL, 6),
    (2, 1, 1, 0, 0, 'first', NULL, NULL)`);
  db.exec(`UPDATE output_total SET bytes = ${totalBytes}`);
  db.close();
  return path;
}

function isOldForm(path: string): boolean {
  const db = new DatabaseSync(path, { readOnly: true });
  const { sql } = db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'events'").get() ?? {};
  db.close();
  return String(sql).includes("WITHOUT ROWID");
}

test.each([
  ["is rewritten, with all that is in it", 11, false],
  ["stays as it is where there is very much output", 4 * gb, true],
])("an older table of events %s, and serves as before", async (_, totalBytes, staysOld) => {
  const path = makeOld(totalBytes);
  const store = openStore({ path });
  onTestFinished(() => store.close());
  expect(isOldForm(path)).toBe(staysOld);
  expect(store.output.totalBytes()).toBe(totalBytes);
  const log = { kind: "log", stream: "stdout", base64: false, truncated: false } as const;
  expect(store.output.read("ended", 0, 1000)).toEqual([
    { ...log, seq: 1, data: "one", atMs: 7, position: 0, bytes: 3 },
    { ...log, seq: 2, stream: "stderr", data: "AP8K", base64: true, atMs: 8, position: 3, bytes: 3 },
    { kind: "exit", seq: 3, data: exit },
  ]);
  await store.output.append("runs", [line("second")], stored(11));
  expect(store.output.read("runs", 0, 1000)).toMatchObject([
    { seq: 1, data: "first", atMs: null, position: null },
    { seq: 2, data: "second", position: 5 },
  ]);
});

test("a new database has the new form from the start", async () => {
  const path = join(temporaryDir(), "boxrun.db");
  const store = openStore({ path });
  onTestFinished(() => store.close());
  expect(isOldForm(path)).toBe(false);
});
