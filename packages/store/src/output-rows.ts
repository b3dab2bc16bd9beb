import type { SQLOutputValue } from "node:sqlite";
import { eventCostBytes, type OutputEvent, type OutputLimit, type OutputProgress } from "@boxrun/core";
import { z } from "zod";
import type { Database } from "./database.ts";
import { ofBoxThatIsThere } from "./execs.ts";

export const kinds = { exit: 0, stdout: 1, stderr: 2 } as const;

/** By hand, and not with a schema: replaying a long output reads a hundred thousand rows, and this is three times as fast. */
const eventRow = {
  parse(row: Record<string, SQLOutputValue>): {
    readonly event: Exclude<OutputEvent, { kind: "gap" }>;
    readonly position: number | null;
  } {
    const { seq, kind, base64, truncated, data, at_ms } = row;
    const position = typeof row.position === "number" ? row.position : null;
    if (typeof seq !== "number" || typeof data !== "string") throw new TypeError("`seq` or `data` has the wrong type");
    if (kind === kinds.exit) return { event: { kind: "exit", seq, data }, position };
    if (kind !== kinds.stdout && kind !== kinds.stderr) throw new TypeError(`unknown \`kind\` ${kind}`);
    const stream = kind === kinds.stdout ? "stdout" : "stderr";
    const atMs = typeof at_ms === "number" ? at_ms : null;
    return {
      event: {
        ...{ kind: "log", seq, stream, data, base64: base64 !== 0, truncated: truncated !== 0, atMs, position },
        bytes: Buffer.byteLength(data, base64 === 0 ? "utf8" : "base64"),
      },
      position,
    };
  },
};

/** By hand as well: every read of every reader begins with it. */
const cursorRow = {
  parse(row: Record<string, SQLOutputValue>): Cursor {
    if (typeof row.status !== "string") throw new TypeError("`status` has the wrong type");
    return {
      key: integer(row, "key"),
      running: row.status === "running",
      nextSeq: integer(row, "next_seq"),
      progress: {
        offsets: { stdout: integer(row, "stdout_offset"), stderr: integer(row, "stderr_offset") },
        awaitedSeq: integerOrNull(row, "awaited_seq"),
      },
      storedBytes: integer(row, "stored_bytes"),
      head: row.head_seq === null ? null : { seq: integer(row, "head_seq"), end: integerOrNull(row, "head_end") ?? 0 },
    };
  },
};

function integer(row: Record<string, SQLOutputValue>, column: string): number {
  const value = row[column];
  if (!Number.isSafeInteger(value)) throw new TypeError(`\`${column}\` is no whole number`);
  return Number(value);
}

function integerOrNull(row: Record<string, SQLOutputValue>, column: string): number | null {
  return row[column] === null ? null : integer(row, column);
}

/** Where an exec's output stands. */
export interface Cursor {
  readonly key: number;
  running: boolean;
  nextSeq: number;
  progress: OutputProgress;
  /** What is kept, and what its events cost. */
  storedBytes: number;
  /** The beginning that stays: up to this event, and this byte; `null` while everything is there. */
  head: { readonly seq: number; readonly end: number } | null;
}

export function outputEnd({ progress }: Cursor): number {
  return progress.offsets.stdout + progress.offsets.stderr;
}

/** What the store of output asks of its file. */
export type OutputRows = ReturnType<typeof outputRows>;

export function outputRows(db: Database) {
  const cursor = db.query(
    "read an exec",
    `SELECT key, status, next_seq, stdout_offset, stderr_offset, stored_bytes, head_seq, head_end, awaited_seq
     FROM execs WHERE id = ? AND ${ofBoxThatIsThere}`,
    cursorRow,
  );
  const firstBehind = db.query(
    "read output",
    "SELECT seq, position FROM events WHERE exec_key = ? AND seq > ? ORDER BY seq LIMIT 1",
    z.object({ seq: z.int(), position: z.int().nullable() }),
  );
  const remove = db.command("delete output", "DELETE FROM events WHERE exec_key = ? AND seq > ? AND seq < ?");

  /** Of the event, which is stored, or of the output's end behind it. What an older BoxRun stored is all at the beginning. */
  function positionOf(of: Cursor, seq: number): number {
    if (seq >= of.nextSeq) return outputEnd(of);
    return firstBehind.get(of.key, seq - 1)?.position ?? 0;
  }

  /** The lowest of the numbers for which it holds; it holds for all above, and for `high`. */
  function lowest(low: number, high: number, holds: (seq: number) => boolean): number {
    for (let [from, to] = [low, high]; ; ) {
      if (from >= to) return to;
      const middle = Math.floor((from + to) / 2);
      if (holds(middle)) to = middle;
      else from = middle + 1;
    }
  }

  /** The longest beginning that takes half of the limit, at the least one event. */
  function headOf(of: Cursor, limitBytes: number): NonNullable<Cursor["head"]> {
    const fits = (seq: number) => positionOf(of, seq + 1) + eventCostBytes * seq <= limitBytes / 2;
    const seq = Math.max(1, lowest(1, of.nextSeq, (candidate) => !fits(candidate)) - 1);
    return { seq, end: positionOf(of, seq + 1) };
  }

  return {
    cursor: (execId: string): Cursor | undefined => cursor.get(execId),

    /** Deletes from the middle what passes the limit, oldest first; the newest event stays, and what is still needed. Returns the first event that is left behind that, or 0. */
    trim(of: Cursor, { bytes: limitBytes, untilSeq }: OutputLimit): number {
      if (of.storedBytes <= limitBytes) return 0;
      of.head ??= headOf(of, limitBytes);
      const first = firstBehind.get(of.key, of.head.seq);
      const last = Math.min(of.nextSeq - 1, (untilSeq ?? of.nextSeq) + 1);
      if (first === undefined || first.seq >= last) return 0;
      const freedBefore = (seq: number) =>
        positionOf(of, seq) - (first.position ?? 0) + eventCostBytes * (seq - first.seq);
      const excess = of.storedBytes - limitBytes;
      const kept = lowest(first.seq, last, (seq) => freedBefore(seq) >= excess);
      remove(of.key, of.head.seq, kept);
      of.storedBytes -= freedBefore(kept);
      return kept;
    },

    insert: db.command(
      "store output",
      "INSERT INTO events (exec_key, seq, kind, base64, truncated, data, at_ms, position) VALUES (?, ?, ?, ?, 0, ?, ?, ?)",
    ),
    advance: db.command(
      "store output",
      `UPDATE execs SET next_seq = ?, stdout_offset = ?, stderr_offset = ?, stored_bytes = ?, head_seq = ?, head_end = ?,
         awaited_seq = ? WHERE key = ?`,
    ),
    finish: db.command(
      "finish an exec",
      "UPDATE execs SET status = ?, exit_code = ?, error_message = ?, finished_at_ms = ? WHERE key = ?",
    ),
    keepEnd: db.command(
      "finish an exec",
      `INSERT OR IGNORE INTO unconfirmed_ends (exec_id, box_id, stdout_offset, stderr_offset)
       SELECT id, box_id, ?, ? FROM execs WHERE key = ?`,
    ),
    read: db.query(
      "read output",
      `SELECT seq, kind, base64, truncated, data, at_ms, position FROM events
       WHERE exec_key = ? AND seq > ? ORDER BY seq`,
      eventRow,
    ),
  };
}
