import { actorKinds, historyActions } from "@boxrun/contract";
import type { HistoryRecord, HistoryStore, Logger, NewHistoryRecord } from "@boxrun/core";
import { z } from "zod";
import { type Database, jsonColumn } from "./database.ts";

export interface HistoryLimits {
  readonly maxAgeMs: number;
  readonly maxEntries: number;
}

const historyRow = z
  .object({
    seq: z.int(),
    at_ms: z.int(),
    box_id: z.string().nullable(),
    box_name: z.string().nullable(),
    action: z.enum(historyActions),
    target: z.string().nullable(),
    cmd: jsonColumn(z.array(z.string())).nullable(),
    exec_id: z.string().nullable(),
    caller_kind: z.enum(actorKinds),
    caller_uid: z.int().nullable(),
    user_agent: z.string().nullable(),
    error_code: z.string().nullable(),
  })
  .transform(
    (row): HistoryRecord => ({
      seq: row.seq,
      atMs: row.at_ms,
      boxId: row.box_id,
      boxName: row.box_name,
      action: row.action,
      target: row.target,
      cmd: row.cmd,
      execId: row.exec_id,
      caller: { kind: row.caller_kind, uid: row.caller_uid },
      userAgent: row.user_agent,
      errorCode: row.error_code,
    }),
  );

const first = 0;
const last = Number.MAX_SAFE_INTEGER;
/** What is too old goes so many at a time, when something is written: none is looked for in between. */
const expiredAtOnce = 256;
/** What waits while the file can't be written. */
const maxWaiting = 10_000;
const retryMs = 1_000;

/** What was done to boxes. It is written behind the answers: all of one turn of the event loop in one transaction. */
export class SqliteHistoryStore implements HistoryStore {
  readonly #db: Database;
  readonly #logger: Logger;
  readonly #limits: HistoryLimits;
  readonly #now: () => number;
  readonly #statements: ReturnType<typeof prepare>;
  #waiting: NewHistoryRecord[] = [];
  /** Takes back the next write; `undefined` if none is to come. */
  #cancelNext: (() => void) | undefined;

  constructor(db: Database, logger: Logger, limits: HistoryLimits, now: () => number) {
    this.#db = db;
    this.#logger = logger;
    this.#limits = limits;
    this.#now = now;
    this.#statements = prepare(db);
  }

  append(record: NewHistoryRecord): void {
    this.#waiting.push(record);
    if (this.#cancelNext !== undefined) return;
    const next = setImmediate(() => this.#flush());
    this.#cancelNext = () => clearImmediate(next);
  }

  list({ box, after = first, before = last, limit }: Parameters<HistoryStore["list"]>[0]): readonly HistoryRecord[] {
    // Whoever has been answered finds what was done.
    this.#flush();
    if (box === undefined) return this.#statements.all.all(after, before, limit);
    return "id" in box
      ? this.#statements.ofBox.all(box.id, after, before, limit)
      : this.#statements.ofName.all(box.name, after, before, limit);
  }

  close(): void {
    this.#flush();
    this.#cancel();
  }

  #flush(): void {
    this.#cancel();
    const records = this.#waiting;
    if (records.length === 0) return;
    try {
      this.#db.transaction("write the history", () => {
        for (const record of records) this.#insert(record);
        this.#expire();
      });
      this.#waiting = [];
    } catch (error) {
      this.#logger.warn({ err: error, waiting: records.length }, "the history could not be written; trying again");
      this.#waiting = records.slice(-maxWaiting);
      const next = setTimeout(() => this.#flush(), retryMs).unref();
      this.#cancelNext = () => clearTimeout(next);
    }
  }

  #cancel(): void {
    this.#cancelNext?.();
    this.#cancelNext = undefined;
  }

  #insert(record: NewHistoryRecord): void {
    this.#statements.insert(
      record.atMs,
      record.boxId,
      record.boxName,
      record.action,
      record.target,
      record.cmd === null ? null : JSON.stringify(record.cmd),
      record.execId,
      record.caller.kind,
      record.caller.uid,
      record.userAgent,
      record.errorCode,
    );
  }

  #expire(): void {
    const newest = this.#statements.newest.get()?.seq ?? 0;
    this.#statements.expire(newest - this.#limits.maxEntries, this.#now() - this.#limits.maxAgeMs, expiredAtOnce);
  }
}

function prepare(db: Database) {
  const columns =
    "seq, at_ms, box_id, box_name, action, target, cmd, exec_id, caller_kind, caller_uid, user_agent, error_code";
  const select = (condition: string) =>
    db.query(
      "read the history",
      `SELECT ${columns} FROM history WHERE ${condition} seq > ? AND seq < ? ORDER BY seq DESC LIMIT ?`,
      historyRow,
    );
  return {
    insert: db.command(
      "write the history",
      `INSERT INTO history (at_ms, box_id, box_name, action, target, cmd, exec_id, caller_kind, caller_uid, user_agent, error_code)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    newest: db.query(
      "read the history",
      "SELECT seq FROM history ORDER BY seq DESC LIMIT 1",
      z.object({ seq: z.int() }),
    ),
    /** The oldest, as far as they are too many or too old. */
    expire: db.command(
      "delete old history",
      `DELETE FROM history WHERE seq IN (
         SELECT seq FROM (SELECT seq, at_ms FROM history ORDER BY seq LIMIT ?3) WHERE seq <= ?1 OR at_ms < ?2)`,
    ),
    all: select(""),
    ofBox: select("box_id = ? AND"),
    ofName: select("box_name = ? AND"),
  };
}
