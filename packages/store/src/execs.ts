import { BoxRunError, execStatuses } from "@boxrun/contract";
import type { ExecRecord, ExecStore, RequestKey } from "@boxrun/core";
import { z } from "zod";
import { environmentColumn, namesColumn, namesOrNull } from "./boxes.ts";
import { cursors, pageParameters } from "./cursors.ts";
import { booleanColumn, type Database, jsonColumn, jsonOrNull } from "./database.ts";
import { behindPrefix } from "./prefix.ts";
import type { RequestKeys } from "./request-keys.ts";
import { isForeignKeyViolation } from "./sqlite-errors.ts";

const execRow = z
  .object({
    id: z.string(),
    box_id: z.string(),
    status: z.enum(execStatuses),
    cmd: jsonColumn(z.array(z.string())),
    env: environmentColumn,
    secret_env: namesColumn,
    workdir: z.string().nullable(),
    user: z.string().nullable(),
    tty: booleanColumn,
    stdin: booleanColumn,
    timeout_ms: z.int().nullable(),
    exit_code: z.int().nullable(),
    error_message: z.string().nullable(),
    created_at_ms: z.int(),
    finished_at_ms: z.int().nullable(),
  })
  .transform(
    (row): ExecRecord => ({
      id: row.id,
      boxId: row.box_id,
      status: row.status,
      cmd: row.cmd,
      env: row.env,
      secretEnv: row.secret_env,
      workdir: row.workdir,
      user: row.user,
      tty: row.tty,
      stdin: row.stdin,
      timeoutMs: row.timeout_ms,
      exitCode: row.exit_code,
      errorMessage: row.error_message,
      createdAtMs: row.created_at_ms,
      finishedAtMs: row.finished_at_ms,
    }),
  );

/** Those of a box that was removed wait to be deleted, and are shown to nobody. */
export const ofBoxThatIsThere =
  "EXISTS (SELECT 1 FROM boxes WHERE boxes.id = execs.box_id AND boxes.status <> 'removed')";

export function execStore(db: Database, keys: RequestKeys): ExecStore {
  const insert = db.command(
    "insert an exec",
    `INSERT INTO execs (id, box_id, status, cmd, env, secret_env, workdir, user, tty, stdin, timeout_ms, exit_code, error_message,
       created_at_ms, finished_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const get = db.query("read an exec", `SELECT * FROM execs WHERE id = ? AND ${ofBoxThatIsThere}`, execRow);
  // Not by the box, which may have a million.
  const byPrefix = db.query(
    "read an exec",
    `SELECT * FROM execs WHERE id >= ? AND id < ? AND +box_id = ? AND ${ofBoxThatIsThere} LIMIT 10`,
    execRow,
  );
  const byBox = db.query(
    "list a box's execs",
    `SELECT * FROM execs WHERE box_id = ? AND ${ofBoxThatIsThere} AND (created_at_ms, key) < (?, ?) ORDER BY created_at_ms DESC, key DESC LIMIT ?`,
    execRow,
  );
  const running = db.query(
    "list running execs",
    `SELECT * FROM execs WHERE status = 'running' AND ${ofBoxThatIsThere} ORDER BY created_at_ms, key`,
    execRow,
  );
  const isRemoved = db.query(
    "read a box",
    "SELECT 1 FROM boxes WHERE id = ? AND status = 'removed'",
    z.record(z.string(), z.unknown()),
  );

  const insertExec = (exec: ExecRecord) =>
    insert(
      exec.id,
      exec.boxId,
      exec.status,
      JSON.stringify(exec.cmd),
      jsonOrNull(exec.env),
      namesOrNull(exec.secretEnv),
      exec.workdir,
      exec.user,
      exec.tty ? 1 : 0,
      exec.stdin ? 1 : 0,
      exec.timeoutMs,
      exec.exitCode,
      exec.errorMessage,
      exec.createdAtMs,
      exec.finishedAtMs,
    );

  return {
    insert(exec: ExecRecord, key?: RequestKey): void {
      if (isRemoved.get(exec.boxId) !== undefined) throw boxRemoved(exec.boxId);
      try {
        keys.with("insert an exec", key, { boxId: exec.boxId, execId: exec.id }, () => insertExec(exec));
      } catch (error) {
        if (!isForeignKeyViolation(error)) throw error;
        throw boxRemoved(exec.boxId, error);
      }
    },
    get: (id) => get.get(id),
    startingWith: (boxId, prefix) => byPrefix.all(prefix, behindPrefix(prefix), boxId),
    listByBox: (boxId, page) => byBox.all(boxId, ...pageParameters(page)),
    cursor: cursors(db, "execs"),
    running: () => running.all(),
  };
}

function boxRemoved(boxId: string, cause?: unknown): BoxRunError {
  return new BoxRunError("BOX_NOT_FOUND", `Cannot start the command: box ${boxId} was removed.`, { cause });
}
