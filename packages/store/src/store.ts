import { type Logger, type Store, silentLogger } from "@boxrun/core";
import { boxStore } from "./boxes.ts";
import { OutputCollector } from "./collector.ts";
import { Database } from "./database.ts";
import { execStore } from "./execs.ts";
import { type HistoryLimits, SqliteHistoryStore } from "./history.ts";
import { imageRecordStore } from "./images.ts";
import { SqliteOutputStore } from "./output.ts";
import { type KeyLimits, RequestKeys, usualKeyLimits } from "./request-keys.ts";
import { OutputRetention, type RetentionLimits } from "./retention.ts";
import { sessionStore } from "./sessions.ts";
import { signInStore } from "./sign-ins.ts";
import { unconfirmedEndStore } from "./unconfirmed-ends.ts";

export interface StoreOptions {
  /** The database file; made, with mode 0600, if it isn't there. Its directory must exist. */
  readonly path: string;
  readonly logger?: Logger;
  /** Default: everything is kept. */
  readonly retention?: RetentionLimits;
  /** Default: all of it is kept. */
  readonly history?: HistoryLimits;
  /** Default: `usualKeyLimits`. */
  readonly keys?: KeyLimits;
  /** The time, in milliseconds since the epoch. */
  readonly now?: () => number;
}

const everything: RetentionLimits = { maxAgeMs: Number.MAX_SAFE_INTEGER, maxTotalBytes: Number.MAX_SAFE_INTEGER };

const allHistory: HistoryLimits = { maxAgeMs: Number.MAX_SAFE_INTEGER, maxEntries: Number.MAX_SAFE_INTEGER };

/**
 * Opens the store, bringing an older database up to date. RUNTIME_ERROR, naming the file, the cause and what to do, for a file or
 * directory that can't be used, for anything that is no BoxRun database, and for one of a newer BoxRun.
 */
export function openStore(options: StoreOptions): Store {
  const db = new Database(options.path);
  const retention = new OutputRetention(db, options.retention ?? everything, options.now ?? Date.now);
  const keys = new RequestKeys(db, options.keys ?? usualKeyLimits, options.now ?? Date.now);
  const collector = new OutputCollector(db, options.logger ?? silentLogger, [retention, keys]);
  const output = new SqliteOutputStore(db, retention, () => collector.wake());
  const logger = options.logger ?? silentLogger;
  const history = new SqliteHistoryStore(db, logger, options.history ?? allHistory, options.now ?? Date.now);
  let closed = false;
  // A crash may have left output of removed boxes.
  collector.wake();
  return {
    boxes: boxStore(db, keys, () => collector.wake()),
    execs: execStore(db, keys),
    output,
    sessions: sessionStore(db),
    unconfirmedEnds: unconfirmedEndStore(db),
    images: imageRecordStore(db),
    signIns: signInStore(db),
    history,
    keys,
    async close(): Promise<void> {
      if (closed) return;
      closed = true;
      collector.stop();
      output.close();
      history.close();
      await db.close();
    },
  };
}
