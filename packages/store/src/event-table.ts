import type { DatabaseSync } from "node:sqlite";
import { transact } from "./transact.ts";

/** In bytes of output: what is rewritten in a second or two. */
const mostBytes = 512 * 1024 * 1024;

/**
 * Brings the table of events into the form in which they are found fast. Migrations make it `WITHOUT ROWID`, ordered by its primary key, and there SQLite reads whole events, of up to 64 KiB,
 * to find the place of another. Where there is very much output, or no room to rewrite it, a server works with the old form, and a later start may do it. Whoever writes and reads events need not know
 * which it is.
 */
export function renewEventTable(db: DatabaseSync): void {
  const table = db.prepare("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'events'").get();
  if (!String(table?.sql).includes("WITHOUT ROWID")) return;
  if (Number(db.prepare("SELECT bytes FROM output_total").get()?.bytes) > mostBytes) return;
  try {
    transact(db, () => db.exec(rewrite));
  } catch {
    // An error that is not about this will show where it matters.
  }
}

/** What is wanted without the text comes before it. */
const rewrite = `
  CREATE TABLE new_events (
    exec_key       INTEGER NOT NULL,
    seq            INTEGER NOT NULL,
    kind           INTEGER NOT NULL,
    base64         INTEGER NOT NULL,
    truncated      INTEGER NOT NULL,
    at_ms          INTEGER,
    position       INTEGER,
    data           TEXT NOT NULL,
    PRIMARY KEY (exec_key, seq)
  ) STRICT;
  INSERT INTO new_events (exec_key, seq, kind, base64, truncated, at_ms, position, data)
    SELECT exec_key, seq, kind, base64, truncated, at_ms, position, data FROM events ORDER BY exec_key, seq;
  DROP TABLE events;
  ALTER TABLE new_events RENAME TO events;
`;
