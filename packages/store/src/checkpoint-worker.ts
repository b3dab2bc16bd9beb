/**
 * A thread that moves pages from the write-ahead log of a database into the database itself: `checkpoints.ts` starts it and says when. It is told the file's path as
 * `workerData`, and answers every message once it has done what it can.
 */
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

parentPort?.on("message", () => {
  try {
    // Opened for each: whoever closes a database last tidies up after it, and that is not this thread.
    using db = new DatabaseSync(workerData);
    // Waits for nobody, and nobody for it.
    db.exec("PRAGMA wal_checkpoint(PASSIVE)");
  } catch {
    // Whoever writes next moves them itself, and meets the same error, where it can be told.
  }
  parentPort?.postMessage("done");
});
