import { type Logger, type Store, silentLogger } from "@boxrun/core";
import { boxStore } from "./boxes.ts";
import { OutputCollector } from "./collector.ts";
import { Database } from "./database.ts";
import { execStore } from "./execs.ts";
import { imageRecordStore } from "./images.ts";
import { SqliteOutputStore } from "./output.ts";
import { sessionStore } from "./sessions.ts";

export interface StoreOptions {
  /** The database file; made, with mode 0600, if it isn't there. Its directory must exist. */
  readonly path: string;
  readonly logger?: Logger;
}

/**
 * Opens the store, bringing an older database up to date. RUNTIME_ERROR, naming the file, the cause and what to do, for a file or
 * directory that can't be used, for anything that is no BoxRun database, and for one of a newer BoxRun.
 */
export function openStore(options: StoreOptions): Store {
  const db = new Database(options.path);
  const collector = new OutputCollector(db, options.logger ?? silentLogger);
  const output = new SqliteOutputStore(db);
  let closed = false;
  // A crash may have left output of removed boxes.
  collector.wake();
  return {
    boxes: boxStore(db, () => collector.wake()),
    execs: execStore(db),
    output,
    sessions: sessionStore(db),
    images: imageRecordStore(db),
    async close(): Promise<void> {
      if (closed) return;
      closed = true;
      collector.stop();
      output.close();
      db.close();
    },
  };
}
