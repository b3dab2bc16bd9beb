import {
  type Box,
  BoxRunError,
  type BoxStatus,
  type CommitRequest,
  type CreateBoxRequest,
  type ExtendRequest,
  type Image,
  type LabelFilter,
  type PageQuery,
  type StoppedBox,
  toBoxRunError,
} from "@boxrun/contract";
import type { Engines } from "../engines.ts";
import type { ExecManager } from "../execs/exec-manager.ts";
import type { UnconfirmedEnds } from "../execs/unconfirmed-ends.ts";
import type { ImageManager } from "../images/image-manager.ts";
import type { CoreMetrics } from "../metrics.ts";
import { OwnActs } from "../own-acts.ts";
import { type Page, pageOf } from "../pages.ts";
import type { WarmPool } from "../pool/warm-pool.ts";
import type { Clock } from "../ports/clock.ts";
import { defaultStopGraceMs } from "../ports/engine.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord, PageRequest, Store } from "../ports/store.ts";
import { nowOrLater, type RetryTimes } from "../retry.ts";
import type { ServerEvents } from "../server-events.ts";
import type { PublishedPorts } from "../services/published-ports.ts";
import type { SessionManager } from "../sessions/session-manager.ts";
import { Admission } from "./admission.ts";
import { BoxChanges } from "./box-changes.ts";
import { BoxEnds } from "./box-ends.ts";
import { findBox, requireAllowed } from "./box-lookup.ts";
import { BoxRecovery } from "./box-recovery.ts";
import { BoxStarts, type CreateOptions } from "./box-starts.ts";
import { BoxTurns } from "./box-turns.ts";
import { commitBox } from "./commit.ts";
import { interrupted, removedInBetween } from "./interruptions.ts";
import type { KeptBoxes } from "./kept-boxes.ts";
import { Lifetimes } from "./lifetimes.ts";
import { expiryOf } from "./new-box.ts";
import type { Reach } from "./reach.ts";
import type { Resources } from "./resources.ts";
import type { BoxDisks } from "./room-check.ts";
import { shownBox } from "./shown-box.ts";

interface Parts {
  readonly store: Store;
  /** Where what has happened to a box is written. */
  readonly keptBoxes: KeptBoxes;
  readonly engine: Engines;
  readonly images: ImageManager;
  readonly execs: ExecManager;
  readonly sessions: SessionManager;
  readonly unconfirmedEnds: UnconfirmedEnds;
  readonly resources: Resources;
  readonly pool: WarmPool;
  readonly boxDisks: BoxDisks;
  readonly published: PublishedPorts;
  readonly reach: Reach;
  readonly events: ServerEvents;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: CoreMetrics;
  readonly retryTimes: RetryTimes;
}

interface ShowOptions {
  /** Also the values of variables that are not to be shown. */
  readonly show_secrets?: boolean;
}

/**
 * The boxes there are, and what can be done with them: how they come up is in `BoxStarts`, how they end in `BoxEnds`. Whatever changes a box holds its
 * lock; a forced removal first interrupts what is in progress. Every path out of a failure leaves the box in a state that says so and gives its resources back.
 */
export class BoxManager {
  readonly admission: Admission;
  readonly ends: BoxEnds;
  readonly recovery: BoxRecovery;
  readonly lifetimes: Lifetimes;
  readonly #parts: Parts;
  readonly #acts: OwnActs;
  readonly #changes: BoxChanges;
  readonly #starts: BoxStarts;
  readonly #turns = new BoxTurns();
  readonly #released = new AbortController();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#changes = new BoxChanges(parts);
    this.#acts = new OwnActs(parts);
    this.lifetimes = new Lifetimes({
      ...parts,
      acts: this.#acts,
      stop: (boxId) => this.stop(boxId),
      remove: (boxId) => this.removeIfThere(boxId),
    });
    this.admission = new Admission(parts);
    const shared = {
      ...parts,
      admission: this.admission,
      changes: this.#changes,
      lifetimes: this.lifetimes,
      turns: this.#turns,
      released: this.#released.signal,
    };
    this.ends = new BoxEnds(shared);
    this.#starts = new BoxStarts({ ...shared, ends: this.ends });
    this.recovery = new BoxRecovery({
      ...shared,
      ends: this.ends,
      reapNow: async (box) => {
        await this.ends.remove(box, { force: true });
        this.#acts.done(box, "remove", "its request was over");
      },
      reap: (boxId) => this.reap(boxId),
    });
  }

  get(idOrName: string, options: ShowOptions = {}): Box {
    return this.#view(findBox(this.#parts.store, idOrName), options);
  }

  list(status?: BoxStatus): Box[] {
    return this.#parts.store.boxes.list(status).map((box) => this.#view(box));
  }

  page(query: PageQuery & ShowOptions, status?: BoxStatus, labels?: LabelFilter): Page<Box> {
    const { boxes } = this.#parts.store;
    const from = { list: (page: PageRequest) => boxes.list(status, page, labels), cursor: boxes.cursor };
    return pageOf(query, from, (box) => this.#view(box, query));
  }

  count(): Record<BoxStatus, number> {
    return this.#parts.store.boxes.count();
  }

  /** Resolves with a running box. If it fails, the box stays as `error` until it is removed. */
  async create(request: CreateBoxRequest, options: CreateOptions): Promise<Box> {
    return await this.#parts.pool.behind(() => this.#starts.create(request, options));
  }

  start(idOrName: string, options: { readonly signal: AbortSignal }): Promise<Box> {
    const { id } = findBox(this.#parts.store, idOrName);
    return this.#parts.pool.behind(() =>
      this.#turns.interruptible(id, options.signal, (signal) => this.#starts.start(id, signal)),
    );
  }

  /** What runs in it gets `graceMs` between SIGTERM and SIGKILL. */
  async stop(idOrName: string, graceMs = defaultStopGraceMs): Promise<StoppedBox> {
    const found = findBox(this.#parts.store, idOrName);
    requireAllowed(found, "stop");
    // What is in progress in a box that runs is only an attempt to reach it.
    this.#turns.interrupt(found.id, new BoxRunError("CANCELED", `Box ${found.id} is being stopped`));
    return this.#turns.run(found.id, async () => {
      const box = findBox(this.#parts.store, found.id);
      requireAllowed(box, "stop");
      return await this.ends.stop(box, graceMs);
    });
  }

  /** Sets when it expires, whatever its state. Resolves once that is stored. */
  async extend(idOrName: string, { ttl_seconds, on_expiry }: ExtendRequest): Promise<Box> {
    const { store, clock } = this.#parts;
    const box = findBox(store, idOrName);
    const onExpiry = on_expiry ?? box.onExpiry;
    const changed = this.#changes.update(box, { expiresAtMs: expiryOf(ttl_seconds, clock.now()), onExpiry });
    this.lifetimes.watch(changed);
    await this.#changes.stored(box, "has its new lifetime");
    return this.#view(changed);
  }

  /** Makes an image of a box that is not running; nothing runs in it meanwhile, and a forced removal interrupts it. */
  async commit(idOrName: string, request: CommitRequest, options: { readonly signal: AbortSignal }): Promise<Image> {
    const { id } = findBox(this.#parts.store, idOrName);
    return await this.#turns.interruptible(id, options.signal, async (signal) => {
      try {
        return await commitBox(findBox(this.#parts.store, id), request, this.#parts, signal);
      } catch (error) {
        throw signal.aborted ? interrupted(signal, error) : toBoxRunError(error, "RUNTIME_ERROR");
      }
    });
  }

  async remove(idOrName: string, options: { readonly force: boolean }): Promise<void> {
    const found = findBox(this.#parts.store, idOrName);
    const action = options.force ? "forceRemove" : "remove";
    requireAllowed(found, action);
    if (options.force) this.#turns.interrupt(found.id, removedInBetween(found.id));
    await this.#turns.run(found.id, async () => {
      const box = findBox(this.#parts.store, found.id);
      requireAllowed(box, action);
      await this.ends.remove(box, options);
    });
  }

  /** By force; a box that is gone already is a success. */
  async removeIfThere(id: string): Promise<void> {
    try {
      await this.remove(id, { force: true });
    } catch (error) {
      if (!(error instanceof BoxRunError && error.code === "BOX_NOT_FOUND")) throw error;
    }
  }

  /** Removes a box that belonged to a request; if that does not work now, later. */
  async reap(id: string): Promise<void> {
    const { logger, retryTimes: times } = this.#parts;
    const onFailure = (error: unknown) =>
      logger.error({ box_id: id, err: error }, "the box of a request is still there");
    await nowOrLater(() => this.removeIfThere(id), { times, signal: this.#released.signal, onFailure });
  }

  /** Removes every box that was stopped for longer than that; how many. */
  async gc(olderThanSeconds: number): Promise<number> {
    const before = this.#parts.clock.now() - olderThanSeconds * 1000;
    let removed = 0;
    for (const box of this.#parts.store.boxes.list("stopped")) {
      if ((box.stoppedAtMs ?? box.createdAtMs) > before) continue;
      try {
        await this.remove(box.id, { force: false });
        this.#acts.done(box, "remove", "gc");
        removed += 1;
      } catch (error) {
        if (!(error instanceof BoxRunError)) throw error;
        // Started or removed in the meantime, or the engine refused: the others still go.
        this.#parts.logger.warn({ box_id: box.id, err: error }, "gc left a box");
      }
    }
    return removed;
  }

  /** For `--stop-boxes`. */
  async stopAll(): Promise<void> {
    const running = this.#parts.store.boxes.list("running");
    const results = await Promise.allSettled(running.map((box) => this.stop(box.id)));
    for (const [index, result] of results.entries()) {
      if (result.status === "rejected") {
        this.#parts.logger.error({ box_id: running[index]?.id, err: result.reason }, "box did not stop");
      }
    }
  }

  /** Nothing is written any more but what is kept. */
  release(): void {
    this.lifetimes.close();
    this.#released.abort();
  }

  #view(record: BoxRecord, { show_secrets = false }: ShowOptions = {}): Box {
    const shown = shownBox(record, this.#parts);
    return show_secrets ? { ...shown, env: record.env } : shown;
  }
}
