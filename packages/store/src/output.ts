import type { SQLOutputValue } from "node:sqlite";
import { BoxRunError } from "@boxrun/contract";
import {
  type ExecFinish,
  type NewOutputEvent,
  noOutput,
  type OutputEvent,
  type OutputPart,
  type OutputProgress,
  type OutputStore,
} from "@boxrun/core";
import { z } from "zod";
import { booleanColumn, type Database } from "./database.ts";

const kinds = { exit: 0, stdout: 1, stderr: 2 } as const;

/** By hand, and not with a schema: replaying a long output reads a hundred thousand rows, and this is three times as fast. */
const eventRow = {
  parse({ seq, kind, base64, truncated, data, at_ms }: Record<string, SQLOutputValue>): OutputEvent {
    if (typeof seq !== "number" || typeof data !== "string") throw new TypeError("`seq` or `data` has the wrong type");
    if (kind === kinds.exit) return { kind: "exit", seq, data };
    if (kind !== kinds.stdout && kind !== kinds.stderr) throw new TypeError(`unknown \`kind\` ${kind}`);
    const stream = kind === kinds.stdout ? "stdout" : "stderr";
    const atMs = typeof at_ms === "number" ? at_ms : null;
    return { kind: "log", seq, stream, data, base64: base64 !== 0, truncated: truncated !== 0, atMs };
  },
};

const cursorRow = z.object({
  key: z.int(),
  status: z.string(),
  next_seq: z.int(),
  stdout_offset: z.int(),
  stderr_offset: z.int(),
  stored_bytes: z.int(),
  truncated: booleanColumn,
});

/** Where an exec's output stands, within one batch. */
interface Cursor {
  readonly key: number;
  running: boolean;
  nextSeq: number;
  progress: OutputProgress;
}

type Write = { readonly execId: string } & (
  | ({ readonly kind: "append" } & OutputPart)
  | { readonly kind: "finish"; readonly finish: ExecFinish }
);

interface QueuedWrite {
  readonly write: Write;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Output of execs. What is queued during one turn of the event loop is committed in one transaction at its end. If that fails
 * (a full disk), the writes are tried one by one, so that a failure hits no exec but its own: a write that fails rejects, and with it
 * those of the same exec that were queued behind it, since output with a hole in it must not look whole.
 */
export class SqliteOutputStore implements OutputStore {
  readonly #db: Database;
  readonly #statements: ReturnType<typeof prepare>;
  #queue: QueuedWrite[] = [];
  #closed = false;

  constructor(db: Database) {
    this.#db = db;
    this.#statements = prepare(db);
  }

  append(execId: string, events: readonly NewOutputEvent[], progress: OutputProgress): Promise<void> {
    return this.#enqueue({ kind: "append", execId, events, progress });
  }

  finish(execId: string, finish: ExecFinish): Promise<void> {
    return this.#enqueue({ kind: "finish", execId, finish });
  }

  read(execId: string, after: number, maxBytes: number): readonly OutputEvent[] {
    let bytes = 0;
    return this.#statements.read.take(
      (event) => {
        bytes += Buffer.byteLength(event.data);
        return bytes >= maxBytes;
      },
      execId,
      after,
    );
  }

  progress(execId: string): OutputProgress {
    return this.#cursor(execId)?.progress ?? noOutput;
  }

  /** Commits what is queued; later writes reject. */
  close(): void {
    this.#closed = true;
    this.#flush();
  }

  #enqueue(write: Write): Promise<void> {
    if (this.#closed) {
      return Promise.reject(
        new BoxRunError(
          "RUNTIME_ERROR",
          `Cannot store output of ${write.execId}: the database ${this.#db.path} is closed.`,
        ),
      );
    }
    return new Promise((resolve, reject) => {
      if (this.#queue.length === 0) setImmediate(() => this.#flush());
      this.#queue.push({ write, resolve, reject });
    });
  }

  #flush(): void {
    const batch = this.#queue;
    this.#queue = [];
    if (batch.length === 0) return;
    try {
      this.#settle(batch, this.#commit(batch));
    } catch {
      this.#flushOneByOne(batch);
    }
  }

  #flushOneByOne(batch: readonly QueuedWrite[]): void {
    const failed = new Map<string, unknown>();
    for (const item of batch) {
      const { execId } = item.write;
      if (failed.has(execId)) {
        item.reject(failed.get(execId));
        continue;
      }
      try {
        this.#settle([item], this.#commit([item]));
      } catch (error) {
        failed.set(execId, error);
        item.reject(error);
      }
    }
  }

  /** Writes the batch in one transaction, or throws and writes none of it. Returns each write's own refusal. */
  #commit(batch: readonly QueuedWrite[]): readonly (BoxRunError | undefined)[] {
    const refusals: (BoxRunError | undefined)[] = [];
    this.#db.transaction("store output", () => {
      const cursors = new Map<string, Cursor | undefined>();
      for (const { write } of batch) {
        if (!cursors.has(write.execId)) cursors.set(write.execId, this.#cursor(write.execId));
        const cursor = cursors.get(write.execId);
        // Without a cursor the box was removed meanwhile, and there is nothing to keep.
        refusals.push(cursor === undefined ? undefined : this.#apply(cursor, write));
      }
      for (const cursor of cursors.values()) {
        if (cursor === undefined) continue;
        const { offsets, storedBytes, truncated } = cursor.progress;
        this.#statements.advance(
          cursor.nextSeq,
          offsets.stdout,
          offsets.stderr,
          storedBytes,
          truncated ? 1 : 0,
          cursor.key,
        );
      }
    });
    return refusals;
  }

  #apply(cursor: Cursor, write: Write): BoxRunError | undefined {
    if (write.kind === "finish") {
      if (!cursor.running) return undefined;
      const { status, exitCode, errorMessage, finishedAtMs, exitData, last } = write.finish;
      if (last !== null) this.#append(cursor, last);
      this.#statements.insert(cursor.key, cursor.nextSeq++, kinds.exit, 0, 0, exitData, null);
      this.#statements.finish(status, exitCode, errorMessage, finishedAtMs, cursor.key);
      cursor.running = false;
      return undefined;
    }
    if (!cursor.running) {
      return new BoxRunError(
        "EXEC_ALREADY_FINISHED",
        `Cannot store output of ${write.execId}: its exit event is stored already, and nothing may follow that.`,
      );
    }
    this.#append(cursor, write);
    return undefined;
  }

  #append(cursor: Cursor, { events, progress }: OutputPart): void {
    for (const { stream, base64, truncated, data, atMs } of events) {
      this.#statements.insert(
        cursor.key,
        cursor.nextSeq++,
        kinds[stream],
        base64 ? 1 : 0,
        truncated ? 1 : 0,
        data,
        atMs,
      );
    }
    cursor.progress = progress;
  }

  #settle(batch: readonly QueuedWrite[], refusals: readonly (BoxRunError | undefined)[]): void {
    for (const [index, item] of batch.entries()) {
      const refusal = refusals[index];
      if (refusal === undefined) item.resolve();
      else item.reject(refusal);
    }
  }

  #cursor(execId: string): Cursor | undefined {
    const row = this.#statements.cursor.get(execId);
    if (row === undefined) return undefined;
    return {
      key: row.key,
      running: row.status === "running",
      nextSeq: row.next_seq,
      progress: {
        offsets: { stdout: row.stdout_offset, stderr: row.stderr_offset },
        storedBytes: row.stored_bytes,
        truncated: row.truncated,
      },
    };
  }
}

function prepare(db: Database) {
  return {
    cursor: db.query(
      "read an exec",
      "SELECT key, status, next_seq, stdout_offset, stderr_offset, stored_bytes, truncated FROM execs WHERE id = ?",
      cursorRow,
    ),
    insert: db.command(
      "store output",
      "INSERT INTO events (exec_key, seq, kind, base64, truncated, data, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ),
    advance: db.command(
      "store output",
      "UPDATE execs SET next_seq = ?, stdout_offset = ?, stderr_offset = ?, stored_bytes = ?, truncated = ? WHERE key = ?",
    ),
    finish: db.command(
      "finish an exec",
      "UPDATE execs SET status = ?, exit_code = ?, error_message = ?, finished_at_ms = ? WHERE key = ?",
    ),
    read: db.query(
      "read output",
      `SELECT seq, kind, base64, truncated, data, at_ms FROM events
       WHERE exec_key = (SELECT key FROM execs WHERE id = ?) AND seq > ? ORDER BY seq`,
      eventRow,
    ),
  };
}
