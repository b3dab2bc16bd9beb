import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../ports/logger.ts";

export interface Patience {
  readonly execId: string;
  readonly logger: Logger;
  /** Aborts when the server lets go of the exec: it goes on in its box and is not finished here. */
  readonly released: AbortSignal;
  /** Whether there is time to wait for a store that can't write now: not when the box is about to go. */
  readonly mayWait: () => boolean;
}

const firstWaitMs = 100;
const longestWaitMs = 5000;

/** Writes to the store, again and again while it can't (a full disk): meanwhile the program in the box waits, and nothing is dropped. */
export async function untilStored<T>(write: () => Promise<T>, patience: Patience): Promise<T> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    try {
      return await write();
    } catch (error) {
      if (patience.released.aborted || !patience.mayWait()) throw error;
      patience.logger.error(
        { exec_id: patience.execId, err: error, retry_ms: waitMs },
        "output could not be stored; the program waits",
      );
      await delay(waitMs, undefined, { signal: patience.released });
    }
  }
}
