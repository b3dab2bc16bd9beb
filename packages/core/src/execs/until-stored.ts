import type { Logger } from "../ports/logger.ts";
import { type RetryTimes, untilDone } from "../retry.ts";

export interface Patience {
  readonly execId: string;
  readonly logger: Logger;
  readonly times: RetryTimes;
  /** Aborts when the server lets go of the exec: it goes on in its box and is not finished here. */
  readonly released: AbortSignal;
}

/** Writes to the store, again and again while it can't (a full disk): meanwhile the program in the box waits, and nothing is dropped. */
export async function untilStored<T>(write: () => Promise<T>, patience: Patience): Promise<T> {
  return await untilDone(write, {
    times: patience.times,
    signal: patience.released,
    onFailure: (error, waitMs) => {
      patience.logger.error(
        { exec_id: patience.execId, err: error, retry_ms: waitMs },
        "output could not be stored; the program waits",
      );
    },
  });
}
