import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from "node:sqlite";
import { BoxRunError } from "@boxrun/contract";
import { z } from "zod";
import { backUp } from "./backup.ts";
import { Checkpoints, logKeptBytes } from "./checkpoints.ts";
import { renewEventTable } from "./event-table.ts";
import { checkIdentity, migrate } from "./migrations.ts";
import { isBoxRunError, sqliteFailure } from "./sqlite-errors.ts";
import { transact } from "./transact.ts";

/** How long opening waits for another process (someone's sqlite3 shell) that holds the file. */
const openTimeoutMs = 2_000;
/** How long a statement does, and the event loop with it: whoever asked for a write tries again later. */
const busyTimeoutMs = 20;

/** From where on whoever commits moves it into the file, and waits for the disk: `checkpoints.ts` does that before, beside the event loop. */
const logMovedBytes = 192 * 1024 * 1024;
const pageBytes = 4096;

/**
 * A BoxRun database file: opened, checked and migrated. Statements are prepared once and typed by a schema; whatever SQLite
 * throws comes out as a BoxRunError (RUNTIME_ERROR) that names the operation and the file, with SQLite's error as its cause.
 */
export class Database {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #checkpoints: Checkpoints;

  constructor(path: string) {
    this.path = path;
    this.#db = open(path);
    this.#checkpoints = new Checkpoints(path);
  }

  query<Row>(operation: string, sql: string, row: RowParser<Row>): Query<Row> {
    const statement = this.#guard(operation, () => this.#db.prepare(sql));
    const parse = (raw: Record<string, SQLOutputValue>): Row => {
      try {
        return row.parse(raw);
      } catch (error) {
        const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
        throw new BoxRunError("RUNTIME_ERROR", `Cannot ${operation} in ${this.path}: a row is damaged: ${reason}`, {
          cause: error,
        });
      }
    };
    return {
      get: (...parameters) => {
        const raw = this.#guard(operation, () => statement.get(...parameters));
        return raw === undefined ? undefined : parse(raw);
      },
      all: (...parameters) => this.#guard(operation, () => statement.all(...parameters)).map(parse),
      take: (enough, ...parameters) =>
        this.#guard(operation, () => {
          const rows: Row[] = [];
          // Leaving the loop early resets the statement, and so ends its read transaction.
          for (const raw of statement.iterate(...parameters)) {
            const parsed = parse(raw);
            rows.push(parsed);
            if (enough(parsed)) break;
          }
          return rows;
        }),
    };
  }

  command(operation: string, sql: string): Command {
    const statement = this.#guard(operation, () => this.#db.prepare(sql));
    return (...parameters) => {
      this.#guard(operation, () => statement.run(...parameters));
      if (!this.#db.isTransaction) this.#checkpoints.wrote();
    };
  }

  /** Runs `work` in a transaction: all of it is committed, or none and the error is thrown. */
  transaction(operation: string, work: () => void): void {
    this.#guard(operation, () => transact(this.#db, work));
    this.#checkpoints.wrote();
  }

  /** What `work` writes is on the disk when this returns, and with it all that was written before: it survives a power cut. */
  durably<T>(operation: string, work: () => T): T {
    return this.#guard(operation, () => {
      this.#db.exec("PRAGMA synchronous = FULL");
      try {
        return work();
      } finally {
        this.#db.exec("PRAGMA synchronous = NORMAL");
      }
    });
  }

  /** Gives up to `pages` free pages back to the file system; `false` if there were none. */
  vacuumPages(pages: number): boolean {
    return this.#guard("shrink the file", () => {
      if (Number(this.#db.prepare("PRAGMA freelist_count").get()?.freelist_count) === 0) return false;
      this.#db.exec(`PRAGMA incremental_vacuum(${pages})`);
      this.#checkpoints.wrote();
      return true;
    });
  }

  async close(): Promise<void> {
    await this.#checkpoints.close();
    this.#guard("close", () => this.#db.close());
  }

  #guard<T>(operation: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw isBoxRunError(error) ? error : sqliteFailure(`Cannot ${operation} in the database`, this.path, error);
    }
  }
}

/** A zod schema, or a function where rows are many. Throws for a row that is not as it should be. */
export interface RowParser<Row> {
  parse(raw: Record<string, SQLOutputValue>): Row;
}

export interface Query<Row> {
  get(...parameters: SQLInputValue[]): Row | undefined;
  all(...parameters: SQLInputValue[]): Row[];
  /** Rows up to and including the first that is `enough`. */
  take(enough: (row: Row) => boolean, ...parameters: SQLInputValue[]): Row[];
}

export type Command = (...parameters: SQLInputValue[]) => void;

/** A command whose effect survives a power cut; one alone, outside a transaction. */
export function durable(db: Database, operation: string, sql: string): Command {
  const run = db.command(operation, sql);
  return (...parameters) => db.durably(operation, () => run(...parameters));
}

export const booleanColumn = z.int().transform((value) => value !== 0);

/** JSON text, read back as `schema` says. */
export function jsonColumn<T>(schema: z.ZodType<T>): z.ZodType<T> {
  return z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(schema);
}

export function jsonOrNull(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

function open(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    // Made by us rather than by SQLite, so that nobody else can ever read it; the -wal and -shm files copy its mode.
    closeSync(openSync(path, "a", 0o600));
    chmodSync(path, 0o600);
    db = new DatabaseSync(path, { timeout: openTimeoutMs, enableForeignKeyConstraints: true });
    const { isEmpty, isOlder } = checkIdentity(db, path);
    if (isOlder) backUp(db, path);
    // To be said before the first table, and before WAL mode.
    if (isEmpty) db.exec("PRAGMA auto_vacuum = INCREMENTAL");
    db.exec("PRAGMA journal_mode = WAL");
    db.exec("PRAGMA synchronous = NORMAL");
    db.exec(`PRAGMA journal_size_limit = ${logKeptBytes}`);
    db.exec(`PRAGMA wal_autocheckpoint = ${logMovedBytes / pageBytes}`);
    migrate(db);
    renewEventTable(db);
    // Of the tables that were replaced.
    if (isEmpty) db.exec("PRAGMA incremental_vacuum");
    db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    return db;
  } catch (error) {
    db?.close();
    throw isBoxRunError(error) ? error : sqliteFailure("Cannot open the database", path, error);
  }
}
