import type { DatabaseSync } from "node:sqlite";

/** Runs `work` in a transaction: all of it is committed, or none and the error is thrown. */
export function transact(db: DatabaseSync, work: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    work();
    db.exec("COMMIT");
  } catch (error) {
    // SQLite has rolled back by itself after some errors (a full disk, say).
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
