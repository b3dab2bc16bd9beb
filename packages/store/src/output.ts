import { setImmediate as nextTurn } from "node:timers/promises";
import { BoxRunError, gapText } from "@boxrun/contract";
import {
  type ExecFinish,
  eventCostBytes,
  type NewOutputEvent,
  noOutput,
  type OutputEvent,
  type OutputLimit,
  type OutputPart,
  type OutputProgress,
  type OutputStore,
} from "@boxrun/core";
import type { Database } from "./database.ts";
import { type Cursor, kinds, type OutputRows, outputEnd, outputRows } from "./output-rows.ts";
import { RecentOutput } from "./recent-output.ts";
import type { OutputRetention } from "./retention.ts";
import { isBusy } from "./sqlite-errors.ts";

type Write = { readonly execId: string } & (
  | ({ readonly kind: "append" } & OutputPart)
  | { readonly kind: "finish"; readonly finish: ExecFinish }
);

interface QueuedWrite {
  readonly write: Write;
  /** Bytes of data. */
  readonly weight: number;
  readonly resolve: (keptBytes: number) => void;
  readonly reject: (error: unknown) => void;
}

/** After so much new output it is looked whether there is too much. */
const lookAfterBytes = 16 * 1024 * 1024;

/** What one transaction takes in, so that it keeps the event loop for a moment only. */
const transactionBytes = 2 * 1024 * 1024;

/**
 * Output of execs. What is queued during one turn of the event loop is committed in one transaction at its end, or in several if it
 * is much, each in a turn of its own. If that fails
 * (a full disk), the writes are tried one by one, so that a failure hits no exec but its own: a write that fails rejects, and with it
 * those of the same exec that were queued behind it, since output with a hole in it must not look whole.
 */
export class SqliteOutputStore implements OutputStore {
  readonly #db: Database;
  readonly #rows: OutputRows;
  readonly #retention: OutputRetention;
  readonly #onGrown: () => void;
  readonly #recent = new RecentOutput();
  #queue: QueuedWrite[] = [];
  /** Since somebody was told last that there is more to keep. */
  #grownBytes = 0;
  #closed = false;

  /** `onGrown`: there may be too much, or something to delete. */
  constructor(db: Database, retention: OutputRetention, onGrown: () => void) {
    this.#db = db;
    this.#retention = retention;
    this.#onGrown = onGrown;
    this.#rows = outputRows(db);
  }

  append(
    execId: string,
    events: readonly NewOutputEvent[],
    progress: OutputProgress,
    limit?: OutputLimit,
  ): Promise<number> {
    const part = { events, progress, ...(limit && { limit }) };
    return this.#enqueue({ kind: "append", execId, ...part }, weightOf(part));
  }

  async finish(execId: string, finish: ExecFinish): Promise<void> {
    await this.#enqueue({ kind: "finish", execId, finish }, weightOf(finish.last));
  }

  read(execId: string, after: number, maxBytes: number, position?: number): readonly OutputEvent[] {
    const cursor = this.#rows.cursor(execId);
    if (cursor === undefined || after + 1 >= cursor.nextSeq) return [];
    const recent = this.#recent.behind(cursor.key, after, maxBytes);
    if (recent.length > 0) return recent;
    let bytes = 0;
    const rows = this.#rows.read.take(
      ({ event }) => {
        bytes += event.kind === "log" && !event.base64 ? event.bytes : event.data.length;
        return bytes >= maxBytes;
      },
      cursor.key,
      after,
    );
    const events: OutputEvent[] = [];
    let before = after;
    for (const { event, position: begin } of rows) {
      // Between the beginning that is kept and the end, or before all that is left.
      if (event.seq > before + 1) {
        const known = Math.max(position ?? 0, cursor.head?.end ?? 0);
        const missing = Math.max(0, (begin ?? outputEnd(cursor)) - known);
        events.push({ kind: "gap", seq: event.seq - 1, bytes: missing, data: gapText(missing) });
      }
      events.push(event);
      before = event.seq;
    }
    return events;
  }

  progress(execId: string): OutputProgress {
    return this.#rows.cursor(execId)?.progress ?? noOutput;
  }

  totalBytes(): number {
    return this.#retention.totalBytes();
  }

  async expire(finishedBeforeMs: number): Promise<number> {
    let sum = 0;
    for (let bytes = 1; bytes > 0 && !this.#closed; sum += bytes) {
      bytes = this.#retention.expireBefore(finishedBeforeMs);
      await nextTurn();
    }
    this.#onGrown();
    return sum;
  }

  /** Commits what is queued; later writes reject. */
  close(): void {
    this.#closed = true;
    while (this.#queue.length > 0) this.#flush();
  }

  #enqueue(write: Write, weight: number): Promise<number> {
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
      this.#queue.push({ write, weight, resolve, reject });
    });
  }

  /** A part of the queue that leaves the event loop to others soon, in one transaction; the rest has the turns that follow. */
  #flush(): void {
    const batch = this.#next();
    if (batch.length === 0) return;
    try {
      this.#settle(batch, this.#commit(batch));
    } catch (error) {
      // For what another process holds, each of them would wait.
      const failed = isBusy(error) ? this.#rejectAll(batch, error) : this.#flushOneByOne(batch);
      this.#queue = this.#queue.filter((item) => {
        if (failed.has(item.write.execId)) item.reject(failed.get(item.write.execId));
        return !failed.has(item.write.execId);
      });
    }
    if (this.#queue.length > 0 && !this.#closed) setImmediate(() => this.#flush());
    this.#grownBytes += batch.reduce((sum, { weight }) => sum + weight, 0);
    if (this.#grownBytes < lookAfterBytes || this.#closed) return;
    this.#grownBytes = 0;
    this.#onGrown();
  }

  /** Of what is queued, as much as one transaction takes; one write at the least. */
  #next(): QueuedWrite[] {
    let weight = 0;
    const enough = this.#queue.findIndex((item) => {
      weight += item.weight;
      return weight >= transactionBytes;
    });
    return this.#queue.splice(0, enough === -1 ? this.#queue.length : enough + 1);
  }

  #rejectAll(batch: readonly QueuedWrite[], error: unknown): Map<string, unknown> {
    for (const { reject } of batch) reject(error);
    return new Map(batch.map(({ write }) => [write.execId, error]));
  }

  /** Returns the failures, by exec. */
  #flushOneByOne(batch: readonly QueuedWrite[]): Map<string, unknown> {
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
    return failed;
  }

  /** Writes the batch in one transaction, or throws and writes none of it. Returns for each what is kept of its exec, or its own refusal. */
  #commit(batch: readonly QueuedWrite[]): readonly (BoxRunError | number)[] {
    const results: (BoxRunError | number)[] = [];
    const fresh: (() => void)[] = [];
    this.#db.transaction("store output", () => {
      const cursors = new Map<string, Cursor | undefined>();
      for (const { write } of batch) {
        if (!cursors.has(write.execId)) cursors.set(write.execId, this.#rows.cursor(write.execId));
        const cursor = cursors.get(write.execId);
        // Without a cursor the box was removed meanwhile, and there is nothing to keep.
        results.push(cursor === undefined ? 0 : this.#apply(cursor, write, fresh));
      }
      for (const cursor of cursors.values()) {
        if (cursor === undefined) continue;
        const { offsets, awaitedSeq } = cursor.progress;
        this.#rows.advance(
          cursor.nextSeq,
          offsets.stdout,
          offsets.stderr,
          cursor.storedBytes,
          cursor.head?.seq ?? null,
          cursor.head?.end ?? null,
          awaitedSeq,
          cursor.key,
        );
      }
    });
    for (const tell of fresh) tell();
    return results;
  }

  /** `fresh`: what is done once it is committed. */
  #apply(cursor: Cursor, write: Write, fresh: (() => void)[]): BoxRunError | number {
    if (write.kind === "finish") {
      fresh.push(() => this.#recent.drop(cursor.key));
      if (!cursor.running) return cursor.storedBytes;
      const { status, exitCode, errorMessage, finishedAtMs, exitData, last, isUnconfirmed } = write.finish;
      if (last !== null) this.#append(cursor, last);
      this.#rows.insert(cursor.key, cursor.nextSeq++, kinds.exit, 0, exitData, null, outputEnd(cursor));
      this.#rows.finish(status, exitCode, errorMessage, finishedAtMs, cursor.key);
      const { offsets } = cursor.progress;
      if (isUnconfirmed) this.#rows.keepEnd(offsets.stdout, offsets.stderr, cursor.key);
      cursor.running = false;
      return cursor.storedBytes;
    }
    if (!cursor.running) {
      return new BoxRunError(
        "EXEC_ALREADY_FINISHED",
        `Cannot store output of ${write.execId}: its exit event is stored already, and nothing may follow that.`,
      );
    }
    const { events, keptFrom } = this.#append(cursor, write);
    fresh.push(() => this.#recent.add(cursor.key, events, keptFrom));
    return cursor.storedBytes;
  }

  #append(cursor: Cursor, { events, progress, limit }: OutputPart) {
    let position = outputEnd(cursor);
    const stored = [];
    for (const { stream, base64, data, atMs, bytes } of events) {
      const seq = cursor.nextSeq++;
      this.#rows.insert(cursor.key, seq, kinds[stream], base64 ? 1 : 0, data, atMs, position);
      stored.push({ kind: "log", seq, stream, data, base64, truncated: false, atMs, position, bytes } as const);
      position += bytes;
      cursor.storedBytes += bytes + eventCostBytes;
    }
    cursor.progress = progress;
    return { events: stored, keptFrom: limit === undefined ? 0 : this.#rows.trim(cursor, limit) };
  }

  #settle(batch: readonly QueuedWrite[], results: readonly (BoxRunError | number)[]): void {
    for (const [index, item] of batch.entries()) {
      const result = results[index] ?? 0;
      if (typeof result === "number") item.resolve(result);
      else item.reject(result);
    }
  }
}

function weightOf(part: OutputPart | null): number {
  return (part?.events ?? []).reduce((sum, { data }) => sum + data.length, 0);
}
