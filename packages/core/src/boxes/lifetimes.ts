import type { OwnActs } from "../own-acts.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord, Store } from "../ports/store.ts";

interface Parts {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly acts: OwnActs;
  readonly stop: (boxId: string) => Promise<unknown>;
  readonly remove: (boxId: string) => Promise<unknown>;
}

/** Timers stand still while the host sleeps, and its clock can be set: the time is looked at anew so often. */
const longestWaitMs = 30_000;
/** When what could not be ended is tried again. */
const retryMs = 10_000;

/** Ends boxes at their deadlines. These are in the store: the next server keeps them as well. */
export class Lifetimes {
  readonly #parts: Parts;
  readonly #waits = new Map<string, Disposable>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** From here on the box has the deadline that its record says, or none. */
  watch({ id, expiresAtMs }: Pick<BoxRecord, "id" | "expiresAtMs">): void {
    this.forget(id);
    if (expiresAtMs !== null) this.#wait(id, expiresAtMs - this.#parts.clock.now());
  }

  forget(boxId: string): void {
    this.#waits.get(boxId)?.[Symbol.dispose]();
    this.#waits.delete(boxId);
  }

  /** After a restart: also of what has expired in between. */
  takeUp(): void {
    for (const box of this.#parts.store.boxes.expiring()) this.watch(box);
  }

  close(): void {
    for (const id of [...this.#waits.keys()]) this.forget(id);
  }

  #wait(boxId: string, ms: number): void {
    const look = () => {
      void this.#look(boxId).catch((error: unknown) => {
        this.#parts.logger.warn(
          { box_id: boxId, err: error },
          "a box whose time is over could not be ended; it is tried again",
        );
        this.#wait(boxId, retryMs);
      });
    };
    this.#waits.set(boxId, this.#parts.clock.after(Math.max(0, Math.min(ms, longestWaitMs)), look));
  }

  async #look(boxId: string): Promise<void> {
    const { store, clock, logger, acts, stop, remove } = this.#parts;
    this.#waits.delete(boxId);
    const box = store.boxes.get(boxId);
    if (box === undefined || box.expiresAtMs === null) return;
    const leftMs = box.expiresAtMs - clock.now();
    if (leftMs > 0) return this.#wait(boxId, leftMs);
    if (box.onExpiry === "remove") {
      logger.info({ box_id: boxId }, "box expired; it is removed");
      await remove(boxId);
      acts.done(box, "remove", "its time was over");
    } else if (box.status === "running") {
      logger.info({ box_id: boxId }, "box expired; it is stopped");
      await stop(boxId);
      acts.done(box, "stop", "its time was over");
    } else if (box.status === "creating") this.#wait(boxId, retryMs);
  }
}
