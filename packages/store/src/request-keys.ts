import type { KeyRecord, KeyStore, RequestKey } from "@boxrun/core";
import { z } from "zod";
import type { Database } from "./database.ts";

/** How long keys are kept, how many, and how much of the answers that they have. */
export interface KeyLimits {
  readonly maxAgeMs: number;
  readonly maxKeys: number;
  /** Characters of all answers together. */
  readonly maxAnswers: number;
}

export const usualKeyLimits: KeyLimits = { maxAgeMs: 86_400_000, maxKeys: 100_000, maxAnswers: 64 * 1024 * 1024 };

const keyRow = z
  .object({
    digest: z.string(),
    fingerprint: z.string(),
    box_id: z.string(),
    exec_id: z.string().nullable(),
    answer: z.string().nullable(),
  })
  .transform(
    (row): KeyRecord => ({
      digest: row.digest,
      fingerprint: row.fingerprint,
      boxId: row.box_id,
      execId: row.exec_id,
      answer: row.answer,
    }),
  );

/** Deleted in one step. */
const expiredAtOnce = 256;

/** A key is written in the transaction of what was made for it: after a crash there are both or neither. */
export class RequestKeys implements KeyStore {
  readonly #db: Database;
  readonly #limits: KeyLimits;
  readonly #now: () => number;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(db: Database, limits: KeyLimits, now: () => number) {
    this.#db = db;
    this.#limits = limits;
    this.#now = now;
    this.#statements = prepare(db);
  }

  get(digest: string): KeyRecord | undefined {
    return this.#statements.get.get(digest, this.#oldestMs());
  }

  answer(digest: string, answer: string): void {
    const { answered, answers, oldestAnswer, forget } = this.#statements;
    this.#db.transaction("keep an answer", () => {
      answered(answer, answer.length, digest);
      while ((answers.get()?.length ?? 0) > this.#limits.maxAnswers) {
        const oldest = oldestAnswer.get();
        if (oldest === undefined) return;
        forget(oldest.seq);
      }
    });
  }

  /** Does `insert`, which stores what was made, and keeps the key with it. */
  with(operation: string, key: RequestKey | undefined, made: Made, insert: () => void): void {
    if (key === undefined) insert();
    else {
      this.#db.transaction(operation, () => {
        insert();
        // One that has expired may still be there.
        this.#statements.put(this.#now(), key.digest, key.fingerprint, made.boxId, made.execId);
      });
    }
  }

  /** Deletes some of those that are too old or too many; `false` if there were none. */
  expireNext(): boolean {
    const { oldest, newest, expire } = this.#statements;
    const first = oldest.get();
    if (first === undefined) return false;
    const beyond = (newest.get()?.seq ?? 0) - this.#limits.maxKeys;
    if (first.seq > beyond && first.at_ms >= this.#oldestMs()) return false;
    expire(beyond, this.#oldestMs(), expiredAtOnce);
    return true;
  }

  #oldestMs(): number {
    return this.#now() - this.#limits.maxAgeMs;
  }
}

interface Made {
  readonly boxId: string;
  readonly execId: string | null;
}

function prepare(db: Database) {
  const seqRow = z.object({ seq: z.int(), at_ms: z.int() });
  return {
    get: db.query("read a request's key", "SELECT * FROM request_keys WHERE digest = ? AND at_ms >= ?", keyRow),
    put: db.command(
      "keep a request's key",
      "INSERT OR REPLACE INTO request_keys (at_ms, digest, fingerprint, box_id, exec_id) VALUES (?, ?, ?, ?, ?)",
    ),
    answered: db.command("keep an answer", "UPDATE request_keys SET answer = ?, answer_length = ? WHERE digest = ?"),
    answers: db.query(
      "count answers",
      "SELECT sum(answer_length) AS length FROM request_keys WHERE answer_length IS NOT NULL",
      z.object({ length: z.int().nullable() }),
    ),
    oldestAnswer: db.query(
      "find the oldest answer",
      "SELECT seq, at_ms FROM request_keys WHERE answer_length IS NOT NULL ORDER BY seq LIMIT 1",
      seqRow,
    ),
    forget: db.command("delete a request's key", "DELETE FROM request_keys WHERE seq = ?"),
    oldest: db.query("find old keys", "SELECT seq, at_ms FROM request_keys ORDER BY seq LIMIT 1", seqRow),
    newest: db.query("find old keys", "SELECT seq, at_ms FROM request_keys ORDER BY seq DESC LIMIT 1", seqRow),
    expire: db.command(
      "delete old keys",
      `DELETE FROM request_keys WHERE seq IN (
         SELECT seq FROM (SELECT seq, at_ms FROM request_keys ORDER BY seq LIMIT ?3) WHERE seq <= ?1 OR at_ms < ?2)`,
    ),
  };
}
