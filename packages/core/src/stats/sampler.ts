import { setImmediate as nextTurn } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord, Store } from "../ports/store.ts";

interface Parts {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stepMs: number;
  readonly sample: (box: BoxRecord) => Promise<void>;
  /** These boxes run; nothing need be kept of others. */
  readonly keepOnly: (ids: ReadonlySet<string>) => void;
}

/** Boxes that are read from the store at a time, and that are asked at a time: one that is silent holds up no more than a quarter. */
const pageSize = 100;
const atOnce = 4;

/** Takes a sample of every running box, once a step: one after another, in turns of the event loop that others have theirs between. */
export class Sampler {
  readonly #parts: Parts;
  #timer: Disposable | undefined;
  #closed = false;
  #next = Promise.withResolvers<void>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  start(): void {
    const { clock, stepMs } = this.#parts;
    if (!this.#closed) this.#timer = clock.after(stepMs, () => void this.#step());
  }

  close(): void {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    this.#next.resolve();
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Resolves when the step after this moment is done, or when there is none any more. */
  nextStep(): Promise<void> {
    return this.#next.promise;
  }

  async #step(): Promise<void> {
    const { clock, logger, stepMs } = this.#parts;
    const beganAtMs = clock.now();
    try {
      await this.#sampleAll();
    } catch (error) {
      logger.error({ err: error }, "what boxes use could not be read");
    }
    if (this.#closed) return;
    const done = this.#next;
    this.#next = Promise.withResolvers<void>();
    done.resolve();
    // A step that took longer than it has is followed by the next one at once, and by no two.
    const leftMs = Math.max(0, stepMs - (clock.now() - beganAtMs));
    this.#timer = clock.after(leftMs, () => void this.#step());
  }

  async #sampleAll(): Promise<void> {
    const { store, keepOnly } = this.#parts;
    const ids = new Set<string>();
    const underWay = new Set<Promise<void>>();
    for await (const box of this.#running(store)) {
      ids.add(box.id);
      const work = this.#sample(box).finally(() => underWay.delete(work));
      underWay.add(work);
      if (underWay.size >= atOnce) await Promise.race(underWay);
      await nextTurn();
    }
    await Promise.all(underWay);
    if (!this.#closed) keepOnly(ids);
  }

  async *#running(store: Store): AsyncGenerator<BoxRecord> {
    let after: string | undefined;
    while (!this.#closed) {
      const page = store.boxes.list("running", { limit: pageSize, after });
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageSize) return;
      after = store.boxes.cursor(last.id);
    }
  }

  async #sample(box: BoxRecord): Promise<void> {
    try {
      await this.#parts.sample(box);
    } catch (error) {
      // It has just ended, or its engine can't tell.
      if (!(error instanceof BoxRunError))
        this.#parts.logger.error({ box_id: box.id, err: error }, "no sample of a box");
    }
  }
}
