import { existsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { BoxRunError } from "@boxrun/contract";
import { backupOf } from "./backup.ts";
import { transact } from "./transact.ts";

/** "BxRn" in a database's header: tells our file from any other SQLite database. */
const applicationId = 0x4278_526e;

/**
 * The schema's history: migration n brings a database from version n-1 to n (`PRAGMA user_version`). To change the schema, append
 * one; never edit one that was released. Times are milliseconds since the epoch, booleans 0 and 1, lists and maps JSON text.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE boxes (
    id             TEXT PRIMARY KEY NOT NULL,
    name           TEXT UNIQUE,
    status         TEXT NOT NULL,
    image          TEXT NOT NULL,
    image_digest   TEXT,
    image_config   TEXT,
    cpu            INTEGER NOT NULL,
    memory_mb      INTEGER NOT NULL,
    disk_size_gb   INTEGER NOT NULL,
    network        INTEGER NOT NULL,
    workdir        TEXT NOT NULL,
    env            TEXT,
    volumes        TEXT,
    engine         TEXT NOT NULL,
    engine_id      TEXT,
    error_code     TEXT,
    error_message  TEXT,
    created_at_ms  INTEGER NOT NULL,
    started_at_ms  INTEGER,
    stopped_at_ms  INTEGER
  ) STRICT;

  -- \`key\` is what events refer to: shorter than the id, and never used twice, so that output waiting to be collected
  -- can't be taken for a later exec's.
  CREATE TABLE execs (
    key            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL UNIQUE,
    box_id         TEXT NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
    status         TEXT NOT NULL,
    cmd            TEXT NOT NULL,
    env            TEXT,
    workdir        TEXT,
    user           TEXT,
    tty            INTEGER NOT NULL,
    stdin          INTEGER NOT NULL,
    timeout_ms     INTEGER,
    exit_code      INTEGER,
    error_message  TEXT,
    created_at_ms  INTEGER NOT NULL,
    finished_at_ms INTEGER,
    next_seq       INTEGER NOT NULL DEFAULT 1,
    stdout_offset  INTEGER NOT NULL DEFAULT 0,
    stderr_offset  INTEGER NOT NULL DEFAULT 0,
    stored_bytes   INTEGER NOT NULL DEFAULT 0,
    truncated      INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX execs_by_box ON execs (box_id, key);
  CREATE INDEX execs_running ON execs (key) WHERE status = 'running';

  -- kind: 0 exit, 1 stdout, 2 stderr
  CREATE TABLE events (
    exec_key       INTEGER NOT NULL,
    seq            INTEGER NOT NULL,
    kind           INTEGER NOT NULL,
    base64         INTEGER NOT NULL,
    truncated      INTEGER NOT NULL,
    data           TEXT NOT NULL,
    PRIMARY KEY (exec_key, seq)
  ) STRICT, WITHOUT ROWID;

  -- Output of removed execs, deleted a slice at a time (collector.ts): gigabytes in one cascade would stop the server for seconds.
  CREATE TABLE discarded_output (exec_key INTEGER PRIMARY KEY) STRICT;
  CREATE TRIGGER execs_discard_output AFTER DELETE ON execs WHEN old.next_seq > 1
  BEGIN
    INSERT INTO discarded_output (exec_key) VALUES (old.key);
  END;

  CREATE TABLE images (
    reference      TEXT PRIMARY KEY NOT NULL,
    digest         TEXT NOT NULL,
    size_bytes     INTEGER NOT NULL,
    config         TEXT NOT NULL,
    created_at_ms  INTEGER NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE sessions (
    id             TEXT PRIMARY KEY NOT NULL,
    box_id         TEXT NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
    name           TEXT,
    shell          TEXT,
    cols           INTEGER NOT NULL,
    rows           INTEGER NOT NULL,
    created_at_ms  INTEGER NOT NULL,
    output_offset  INTEGER NOT NULL,
    modes          TEXT NOT NULL,
    UNIQUE (box_id, name)
  ) STRICT;
  `,
  // When a piece of output came out of the box; NULL for exits, and for what was stored before.
  "ALTER TABLE events ADD COLUMN at_ms INTEGER;",
  // Output that passes the limit goes from its middle: behind `head_seq`, which ends at byte `head_end` of the output. `position`: bytes of
  // output before the event; NULL for what was stored before. `awaited_seq`: what the slowest reader that was waited for had taken.
  `
  ALTER TABLE events ADD COLUMN position INTEGER;
  ALTER TABLE execs ADD COLUMN head_seq INTEGER;
  ALTER TABLE execs ADD COLUMN head_end INTEGER;
  ALTER TABLE execs ADD COLUMN awaited_seq INTEGER;
  `,
  // Output of finished execs is given up by age and by the size of all of it; then `before_seq` is the exit event, which stays. A box's goes
  // whole. `output_total`: what all execs keep, in bytes, by the sum of `stored_bytes`.
  `
  ALTER TABLE discarded_output ADD COLUMN before_seq INTEGER;
  CREATE TABLE output_total (bytes INTEGER NOT NULL) STRICT;
  INSERT INTO output_total (bytes) SELECT coalesce(sum(stored_bytes), 0) FROM execs;
  CREATE INDEX execs_with_output ON execs (finished_at_ms) WHERE finished_at_ms IS NOT NULL AND stored_bytes > 0;
  CREATE TRIGGER execs_count_output AFTER UPDATE OF stored_bytes ON execs WHEN new.stored_bytes <> old.stored_bytes
  BEGIN
    UPDATE output_total SET bytes = bytes + new.stored_bytes - old.stored_bytes;
  END;
  DROP TRIGGER execs_discard_output;
  CREATE TRIGGER execs_discard_output AFTER DELETE ON execs WHEN old.next_seq > 1
  BEGIN
    INSERT OR REPLACE INTO discarded_output (exec_key) VALUES (old.key);
    UPDATE output_total SET bytes = bytes - old.stored_bytes WHERE old.stored_bytes > 0;
  END;
  `,
  // Boxes that belong to a request (`POST /v1/run`).
  "ALTER TABLE boxes ADD COLUMN ephemeral INTEGER NOT NULL DEFAULT 0;",
  // A box that is gone with many execs stays as a row with the status 'removed', which nobody is shown, until they are deleted (collector.ts).
  // `box_counts`: how many boxes there are in each state.
  `
  CREATE INDEX boxes_by_age ON boxes (created_at_ms);
  CREATE INDEX boxes_by_status ON boxes (status, created_at_ms);
  DROP INDEX execs_by_box;
  CREATE INDEX execs_by_box ON execs (box_id, created_at_ms);
  DROP INDEX execs_running;
  CREATE INDEX execs_running ON execs (created_at_ms) WHERE status = 'running';
  CREATE TABLE box_counts (status TEXT PRIMARY KEY NOT NULL, count INTEGER NOT NULL) STRICT;
  INSERT INTO box_counts (status, count) SELECT status, count(*) FROM boxes GROUP BY status;
  CREATE TRIGGER boxes_count_insert AFTER INSERT ON boxes
  BEGIN
    INSERT INTO box_counts (status, count) VALUES (new.status, 1) ON CONFLICT (status) DO UPDATE SET count = count + 1;
  END;
  CREATE TRIGGER boxes_count_update AFTER UPDATE OF status ON boxes WHEN new.status <> old.status
  BEGIN
    UPDATE box_counts SET count = count - 1 WHERE status = old.status;
    INSERT INTO box_counts (status, count) VALUES (new.status, 1) ON CONFLICT (status) DO UPDATE SET count = count + 1;
  END;
  CREATE TRIGGER boxes_count_delete AFTER DELETE ON boxes
  BEGIN
    UPDATE box_counts SET count = count - 1 WHERE status = old.status;
  END;
  `,
  `
  CREATE TABLE sign_ins (
    digest TEXT PRIMARY KEY,
    uid INTEGER,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sign_ins_by_age ON sign_ins (created_at_ms DESC, digest);
  `,
  // The ports of the host that lead into the box, as JSON.
  "ALTER TABLE boxes ADD COLUMN ports TEXT;",
  // Labels are a JSON object of strings.
  `
  ALTER TABLE boxes ADD COLUMN labels TEXT;
  ALTER TABLE boxes ADD COLUMN expires_at_ms INTEGER;
  ALTER TABLE boxes ADD COLUMN on_expiry TEXT;
  CREATE INDEX boxes_by_expiry ON boxes (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
  `,
  // Of history, numbers are never used again, also when the newest entry is deleted. It outlives the boxes.
  `
  CREATE TABLE history (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    box_id TEXT,
    box_name TEXT,
    action TEXT NOT NULL,
    target TEXT,
    cmd TEXT,
    exec_id TEXT,
    caller_kind TEXT NOT NULL,
    caller_uid INTEGER,
    user_agent TEXT,
    error_code TEXT
  ) STRICT;
  CREATE INDEX history_by_box ON history (box_id, seq);
  CREATE INDEX history_by_name ON history (box_name, seq);
  `,
  // Names of variables whose values are not shown.
  `
  ALTER TABLE boxes ADD COLUMN secret_env TEXT;
  ALTER TABLE execs ADD COLUMN secret_env TEXT;
  `,
  // Requests that may be sent again. What was made of them may be gone: no foreign keys.
  `
  CREATE TABLE request_keys (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms         INTEGER NOT NULL,
    digest        TEXT NOT NULL UNIQUE,
    fingerprint   TEXT NOT NULL,
    box_id        TEXT NOT NULL,
    exec_id       TEXT,
    answer        TEXT,
    answer_length INTEGER
  ) STRICT;
  -- Their sum without reading them.
  CREATE INDEX request_keys_answers ON request_keys (seq, answer_length) WHERE answer_length IS NOT NULL;
  `,
  // What a server has to tell once more when it comes up, without looking through all that ever ran.
  `
  CREATE INDEX execs_unconfirmed ON execs (created_at_ms) WHERE status IN ('canceled', 'timeout') AND exit_code IS NULL;
  `,
  // What it has to tell, and no longer than until it is confirmed: programs of execs and of sessions, which leave no row, and what their boxes may have
  // forgotten of their output.
  `
  CREATE TABLE unconfirmed_ends (
    exec_id        TEXT PRIMARY KEY NOT NULL,
    box_id         TEXT NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
    stdout_offset  INTEGER NOT NULL,
    stderr_offset  INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO unconfirmed_ends (exec_id, box_id, stdout_offset, stderr_offset)
    SELECT id, box_id, stdout_offset, stderr_offset FROM execs WHERE status IN ('canceled', 'timeout') AND exit_code IS NULL
      AND EXISTS (SELECT 1 FROM boxes WHERE boxes.id = execs.box_id AND boxes.status = 'running');
  DROP INDEX execs_unconfirmed;
  CREATE INDEX unconfirmed_ends_by_box ON unconfirmed_ends (box_id);
  `,
];

/**
 * Reads, and changes nothing: RUNTIME_ERROR for a file that is another program's or was written by a newer BoxRun. Returns whether
 * the database is still empty, and whether it needs migrations. SQLite's own errors pass through.
 */
export function checkIdentity(
  db: DatabaseSync,
  path: string,
  steps: readonly string[] = migrations,
): { isEmpty: boolean; isOlder: boolean } {
  const isEmpty = db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
  if (!isEmpty && pragma(db, "application_id") !== applicationId) {
    throw new BoxRunError(
      "RUNTIME_ERROR",
      `Cannot open the database ${path}: it is an SQLite database, but not one that this server made (the databases of BoxRun 0.3 ` +
        "are not read). Move the file aside, or name another with BOXRUN_DB.",
      { details: { path } },
    );
  }
  const version = pragma(db, "user_version");
  if (version > steps.length) {
    const backup = backupOf(path);
    const way = existsSync(backup)
      ? `put ${backup}, which it was before that upgrade, in its place (what has happened since is lost)`
      : "move the file aside to start with an empty one";
    throw new BoxRunError(
      "RUNTIME_ERROR",
      `Cannot open the database ${path}: it has version ${version}, written by a newer BoxRun; this one knows versions up to ` +
        `${steps.length}. Install the newer BoxRun again, or ${way}.`,
      { details: { path, version, supported_version: steps.length } },
    );
  }
  return { isEmpty, isOlder: !isEmpty && version < steps.length };
}

/**
 * Brings the database to the newest version, each step in a transaction of its own: a crash or a failure leaves a whole version.
 * SQLite's errors pass through.
 */
export function migrate(db: DatabaseSync, steps: readonly string[] = migrations): void {
  const version = pragma(db, "user_version");
  for (const [index, step] of steps.entries()) {
    if (index < version) continue;
    transact(db, () => {
      db.exec(step);
      db.exec(`PRAGMA application_id = ${applicationId}`);
      db.exec(`PRAGMA user_version = ${index + 1}`);
    });
  }
}

function pragma(db: DatabaseSync, name: "user_version" | "application_id"): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}
