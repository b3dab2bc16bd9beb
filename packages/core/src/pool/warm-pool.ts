import { BoxRunError, type CreateBoxRequest, type PoolInfo, toBoxRunError } from "@boxrun/contract";
import type { Holding, HostRoom, Resources } from "../boxes/resources.ts";
import { type BoxDisks, lookForRoom, requireFreeDisk } from "../boxes/room-check.ts";
import type { Engines } from "../engines.ts";
import { newBoxId } from "../ids.ts";
import type { ImageManager } from "../images/image-manager.ts";
import type { Clock } from "../ports/clock.ts";
import type { BoxSpec } from "../ports/engine.ts";
import type { Logger } from "../ports/logger.ts";
import type { Store } from "../ports/store.ts";
import { nowOrLater, type RetryTimes, untilDone } from "../retry.ts";
import { isPreparedNote, preparedNote } from "./prepared-note.ts";
import { type PoolSize, Shelf } from "./shelf.ts";

interface Parts {
  readonly sizes: readonly PoolSize[];
  readonly engine: Engines;
  readonly images: ImageManager;
  readonly resources: Resources;
  readonly boxDisks: BoxDisks;
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly retryTimes: RetryTimes;
}

/** A box that waits for a name. */
export interface PreparedBox {
  readonly id: string;
  /** Nobody wants it after all. */
  giveBack(): void;
  /** It was made somebody's, and could not be brought to it. Never rejects. */
  discard(): Promise<void>;
}

interface InTheMaking {
  readonly shelf: Shelf;
  readonly id: string;
  readonly controller: AbortController;
  /** Never rejects. */
  readonly done: Promise<void>;
}

/** What users wait for comes first, also what they most likely do with a box that they have just got. */
const quietMs = 300;

/**
 * Boxes that were prepared before anybody asked for them, by size: a create takes one, with the id that it has, and the engine has only its name left to give it. They hold resources as
 * boxes do, and go where a box that is wanted needs them. One is prepared at a time, while nobody waits for a box. They end with the server; what one leaves that was killed, the
 * next one ends.
 */
export class WarmPool {
  readonly #parts: Parts;
  readonly #shelves: readonly Shelf[];
  readonly #closing = new AbortController();
  #isOpen = false;
  /** Creates and starts under way. */
  #waitedFor = 0;
  #inTheMaking: InTheMaking | undefined;
  #timer: { readonly dueMs: number; readonly wait: Disposable } | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#shelves = parts.sizes.filter(({ count }) => count > 0).map((size) => new Shelf(size));
    parts.resources.onRelease(() => {
      for (const shelf of this.#shelves) shelf.roomCame();
      this.#refillLater();
    });
  }

  /** Ends what an earlier server had prepared, and begins to fill. Never rejects. */
  async open(): Promise<void> {
    const { engine, clock, logger, retryTimes: times } = this.#parts;
    const { signal } = this.#closing;
    const onFailure = (error: unknown) =>
      logger.error({ err: error }, "could not look for boxes that an earlier server had prepared");
    await untilDone(() => this.#endLeft(), { times, signal, onFailure }).catch(() => undefined);
    if (this.#shelves.length === 0 || signal.aborted) return;
    if (engine.prepare === undefined) {
      const why = `the ${engine.name} engine prepares no boxes`;
      for (const shelf of this.#shelves) shelf.failed(why, clock.now(), { isRoom: false });
      logger.warn({ engine: engine.name }, `BOXRUN_POOL has no effect: ${why}`);
      return;
    }
    this.#isOpen = true;
    this.#refillLater();
  }

  /** One that is all that was asked for but for its name, if there is one. It holds its resources. */
  take(request: CreateBoxRequest): PreparedBox | undefined {
    const shelf = this.#shelves.find((one) => one.ready.size > 0 && one.has(request));
    const [first] = shelf?.ready ?? [];
    if (shelf === undefined || first === undefined) return undefined;
    const [id, digest] = first;
    shelf.ready.delete(id);
    return {
      id,
      giveBack: () => {
        shelf.put(id, digest);
        if (this.#closing.signal.aborted) void this.#end(shelf, id);
      },
      discard: () => this.#remove(id),
    };
  }

  /** While `work` runs, which somebody waits for, nothing is prepared. */
  async behind<T>(work: () => Promise<T>): Promise<T> {
    this.#waitedFor += 1;
    try {
      return await work();
    } finally {
      this.#waitedFor -= 1;
      this.#refillLater();
    }
  }

  /** Ends one of them, if so much fits once all have gone that has to; whether it has. */
  async makeRoom(wanted: Holding, room: HostRoom): Promise<boolean> {
    const making = this.#inTheMaking;
    const ready = this.#shelves.flatMap((shelf) => [...shelf.ready.keys()].map((id) => ({ shelf, id })));
    const ids = [...(making === undefined ? [] : [making.id]), ...ready.map(({ id }) => id)];
    if (ids.length === 0) return false;
    try {
      this.#parts.resources.check(wanted, room, ids);
    } catch {
      return false;
    }
    if (making !== undefined) await this.#giveUp(making);
    else if (ready[0] !== undefined) await this.#end(ready[0].shelf, ready[0].id);
    return true;
  }

  /** Ends those of an image that is about to go. */
  async forget(digest: string): Promise<void> {
    for (const shelf of this.#shelves) {
      const ids = [...shelf.ready].flatMap(([id, image]) => (image === digest ? [id] : []));
      for (const id of ids) await this.#end(shelf, id);
    }
    this.#refillLater();
  }

  get info(): readonly PoolInfo[] {
    return this.#shelves.map(({ info }) => info);
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    this.#closing.abort(new BoxRunError("CANCELED", "The server is shutting down"));
    this.#isOpen = false;
    this.#timer?.wait[Symbol.dispose]();
    if (this.#inTheMaking !== undefined) await this.#giveUp(this.#inTheMaking);
    await Promise.all(this.#shelves.flatMap((shelf) => [...shelf.ready.keys()].map((id) => this.#end(shelf, id))));
  }

  async #endLeft(): Promise<void> {
    const { engine, store, logger } = this.#parts;
    // Nobody's, or somebody's who never got it.
    const strangers = (await engine.everything()).filter(({ id }) => {
      const box = store.boxes.get(id);
      return box === undefined || (box.status === "error" && box.startedAtMs === null);
    });
    for (const stranger of strangers) {
      engine.recognize(stranger);
      if (!isPreparedNote(await engine.recall(stranger.id))) continue;
      logger.info({ box_id: stranger.id }, "a box that an earlier server had prepared is ended");
      await this.#remove(stranger.id);
    }
  }

  #refillLater(): void {
    const now = this.#parts.clock.now();
    const lacking = this.#shelves.filter(({ isFull }) => !isFull);
    if (!this.#isOpen || this.#waitedFor > 0 || this.#inTheMaking !== undefined || lacking.length === 0) return;
    const dueMs = Math.max(now + quietMs, Math.min(...lacking.map(({ notBeforeMs }) => notBeforeMs)));
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return;
    this.#timer?.wait[Symbol.dispose]();
    const wait = this.#parts.clock.after(dueMs - now, () => {
      this.#timer = undefined;
      this.#refill();
    });
    this.#timer = { dueMs, wait };
  }

  #refill(): void {
    const now = this.#parts.clock.now();
    const shelf = this.#shelves.find(({ isFull, notBeforeMs }) => !isFull && notBeforeMs <= now);
    if (shelf === undefined || this.#waitedFor > 0 || this.#inTheMaking !== undefined) {
      this.#refillLater();
      return;
    }
    const [id, controller] = [newBoxId(), new AbortController()];
    const done = this.#prepare(shelf, id, controller.signal).finally(() => {
      this.#inTheMaking = undefined;
      this.#refillLater();
    });
    this.#inTheMaking = { shelf, id, controller, done };
  }

  /** Never rejects. */
  async #prepare(shelf: Shelf, id: string, signal: AbortSignal): Promise<void> {
    const { engine, images, resources, boxDisks, clock, logger } = this.#parts;
    const { image: reference, count: _, ...size } = shelf.size;
    try {
      await images.whileHere(reference, async ({ digest }) => {
        await requireFreeDisk(boxDisks, "a box that is prepared");
        const room = await lookForRoom(this.#parts, resources.holders());
        signal.throwIfAborted();
        resources.reserve(id, size, room);
        const image = { digest, layoutDir: images.layoutDir(digest) };
        const spec: BoxSpec = {
          id,
          hostname: "prepared",
          workdir: "/",
          image,
          ...size,
          volumes: [],
          note: preparedNote,
        };
        await engine.prepare?.(spec, { signal, onEnd: () => this.#ended(shelf, id) });
        shelf.put(id, digest);
      });
    } catch (error) {
      resources.release(id);
      if (signal.aborted) return;
      const { code, message } = toBoxRunError(error, "RUNTIME_ERROR");
      const isNews = shelf.failed(message, clock.now(), { isRoom: code === "RESOURCE_EXCEEDED" });
      if (isNews) logger.warn({ image: reference, err: error }, "no box could be prepared; it is tried again");
    }
  }

  /** By itself. */
  #ended(shelf: Shelf, id: string): void {
    this.#parts.logger.warn({ box_id: id }, "a prepared box has ended");
    if (!shelf.ready.delete(id)) return;
    this.#parts.resources.release(id);
    this.#refillLater();
  }

  async #giveUp({ shelf, id, controller, done }: InTheMaking): Promise<void> {
    controller.abort(new BoxRunError("CANCELED", `box ${id}, which is being prepared, is not wanted any more`));
    await done;
    // It may have been faster.
    if (shelf.ready.has(id)) await this.#end(shelf, id);
  }

  async #end(shelf: Shelf, id: string): Promise<void> {
    shelf.ready.delete(id);
    await this.#remove(id);
  }

  /** If that does not work now, later; until then it holds what it has. */
  async #remove(id: string): Promise<void> {
    const { engine, resources, logger, retryTimes: times } = this.#parts;
    const onFailure = (error: unknown) =>
      logger.error({ box_id: id, err: error }, "a prepared box could not be ended yet");
    const remove = async () => {
      await engine.remove(id);
      resources.release(id);
    };
    await nowOrLater(remove, { times, signal: this.#closing.signal, onFailure });
  }
}
