import { z } from "zod";
import type { Database } from "./database.ts";

/** How long output is kept, and how much of all execs together. What is oldest goes first. */
export interface RetentionLimits {
  readonly maxAgeMs: number;
  /** As `stored_bytes` counts. */
  readonly maxTotalBytes: number;
}

const execsPerStep = 256;

/**
 * Gives up output of execs that have ended: then their readers find a gap, and their exit. The collector deletes it. What runs keeps its
 * output, whatever the limits say.
 */
export class OutputRetention {
  readonly #db: Database;
  readonly #limits: RetentionLimits;
  readonly #now: () => number;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(db: Database, limits: RetentionLimits, now: () => number) {
    this.#db = db;
    this.#limits = limits;
    this.#now = now;
    this.#statements = prepare(db);
  }

  totalBytes(): number {
    return this.#statements.total.get()?.bytes ?? 0;
  }

  /** Gives up the oldest if it passes a limit; `false` if all is within. */
  expireNext(): boolean {
    const beforeMs = this.totalBytes() > this.#limits.maxTotalBytes ? Number.MAX_SAFE_INTEGER : this.#oldestMs();
    return this.#expire(beforeMs, 1) > 0;
  }

  /** Gives up what of execs that ended before that is still there, some of it at a time; `bytes` is 0 if there was none. */
  expireBefore(finishedMs: number): number {
    return this.#expire(finishedMs, execsPerStep);
  }

  #oldestMs(): number {
    return this.#now() - this.#limits.maxAgeMs;
  }

  #expire(beforeMs: number, count: number): number {
    const victims = this.#statements.oldest.all(beforeMs, count);
    if (victims.length === 0) return 0;
    this.#db.transaction("give up output", () => {
      for (const { key, next_seq } of victims) {
        this.#statements.discard(key, next_seq - 1);
        this.#statements.forget(key);
      }
    });
    return victims.reduce((sum, { stored_bytes }) => sum + stored_bytes, 0);
  }
}

function prepare(db: Database) {
  return {
    total: db.query("count output", "SELECT bytes FROM output_total", z.object({ bytes: z.int() })),
    oldest: db.query(
      "find the oldest output",
      `SELECT key, next_seq, stored_bytes FROM execs
       WHERE finished_at_ms IS NOT NULL AND stored_bytes > 0 AND finished_at_ms < ? ORDER BY finished_at_ms LIMIT ?`,
      z.object({ key: z.int(), next_seq: z.int(), stored_bytes: z.int() }),
    ),
    discard: db.command(
      "give up output",
      "INSERT OR REPLACE INTO discarded_output (exec_key, before_seq) VALUES (?, ?)",
    ),
    forget: db.command("give up output", "UPDATE execs SET stored_bytes = 0, head_seq = 0, head_end = 0 WHERE key = ?"),
  };
}
