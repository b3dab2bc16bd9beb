import type { Logger } from "@boxrun/core";
import { z } from "zod";
import type { Database } from "./database.ts";

/** How long one slice may keep the event loop. */
const sliceMs = 8;
/** Between slices: leaves the loop to everyone else for most of the time. */
const pauseMs = 4;
/** After a failure, a full disk most likely. */
const retryMs = 10_000;

/** Output gets too old without anybody's doing. */
const lookMs = 60_000;

const minRows = 16;
const maxRows = 4_096;
const vacuumPages = 64;

/** What goes because it is too old or too much. */
interface Expiring {
  /** Some of it; `false` if there was none. */
  expireNext(): boolean;
}

/**
 * Deletes the output of removed boxes, their execs where those are many, and whatever is too old or too much, a slice at a time, and gives the space back to the file system. What a crash or a close
 * leaves is on record in `discarded_output` and goes on with the next start.
 */
export class OutputCollector {
  readonly #db: Database;
  readonly #logger: Logger;
  readonly #expiring: readonly Expiring[];
  readonly #statements: ReturnType<typeof prepare>;
  /** Rows a step, found by measuring: a row is anything from 50 bytes to 64 KiB. */
  #rows = 64;
  #execs = minRows;
  #timer: NodeJS.Timeout | undefined;
  readonly #look: NodeJS.Timeout;
  #stopped = false;

  constructor(db: Database, logger: Logger, expiring: readonly Expiring[]) {
    this.#db = db;
    this.#expiring = expiring;
    this.#logger = logger;
    this.#statements = prepare(db);
    this.#look = setInterval(() => this.wake(), lookMs).unref();
  }

  /** There may be something to collect. */
  wake(): void {
    if (this.#timer === undefined) this.#schedule(pauseMs);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#look);
    clearTimeout(this.#timer);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#slice(), delayMs);
    // Collecting never keeps the process alive: the next start goes on with it.
    this.#timer.unref();
  }

  #slice(): void {
    this.#timer = undefined;
    const startedMs = performance.now();
    try {
      do {
        if (!this.#step()) return;
      } while (performance.now() - startedMs < sliceMs);
      this.#schedule(pauseMs);
    } catch (error) {
      this.#logger.warn({ err: error }, "output could not be deleted; trying again later");
      this.#schedule(retryMs);
    }
  }

  /** One short transaction; `false` if nothing is left to do. */
  #step(): boolean {
    const next = this.#statements.next.get();
    if (next === undefined) {
      const expires = () => this.#expiring.some((expiring) => expiring.expireNext());
      return this.#removeExecs() || expires() || this.#db.vacuumPages(vacuumPages);
    }
    const { exec_key: key, before_seq: end } = next;
    const startedMs = performance.now();
    this.#db.transaction("delete output", () => {
      const first = this.#statements.first.get(key)?.seq ?? null;
      if (first === null || (end !== null && first >= end)) this.#statements.done(key);
      else this.#statements.delete(key, Math.min(first + this.#rows, end ?? Number.MAX_SAFE_INTEGER));
    });
    this.#rows = rowsAfter(this.#rows, performance.now() - startedMs);
    return true;
  }

  /** Some of the execs of a removed box, and then the box; `false` if there is none. */
  #removeExecs(): boolean {
    const box = this.#statements.removedBox.get();
    if (box === undefined) return false;
    const startedMs = performance.now();
    this.#db.transaction("delete execs", () => {
      if (this.#statements.anyExec.get(box.id) === undefined) this.#statements.deleteBox(box.id);
      else this.#statements.deleteExecs(box.id, this.#execs);
    });
    this.#execs = rowsAfter(this.#execs, performance.now() - startedMs);
    return true;
  }
}

function rowsAfter(rows: number, tookMs: number): number {
  if (tookMs > sliceMs / 2) return Math.max(minRows, rows >> 1);
  return tookMs < sliceMs / 8 ? Math.min(maxRows, rows << 1) : rows;
}

function prepare(db: Database) {
  return {
    next: db.query(
      "delete output",
      "SELECT exec_key, before_seq FROM discarded_output LIMIT 1",
      z.object({ exec_key: z.int(), before_seq: z.int().nullable() }),
    ),
    first: db.query(
      "delete output",
      "SELECT min(seq) AS seq FROM events WHERE exec_key = ?",
      z.object({ seq: z.int().nullable() }),
    ),
    delete: db.command("delete output", "DELETE FROM events WHERE exec_key = ? AND seq < ?"),
    removedBox: db.query(
      "find removed boxes",
      "SELECT id FROM boxes WHERE status = 'removed' LIMIT 1",
      z.object({ id: z.string() }),
    ),
    anyExec: db.query("delete execs", "SELECT key FROM execs WHERE box_id = ? LIMIT 1", z.object({ key: z.int() })),
    deleteExecs: db.command(
      "delete execs",
      "DELETE FROM execs WHERE key IN (SELECT key FROM execs WHERE box_id = ? LIMIT ?)",
    ),
    deleteBox: db.command("delete a box", "DELETE FROM boxes WHERE id = ?"),
    done: db.command("delete output", "DELETE FROM discarded_output WHERE exec_key = ?"),
  };
}
