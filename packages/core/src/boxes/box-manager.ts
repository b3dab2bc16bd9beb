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
import { isUnreachable } from "../execs/steady-exec.ts";
import type { UnconfirmedEnds } from "../execs/unconfirmed-ends.ts";
import { newBoxId } from "../ids.ts";
import type { ImageManager } from "../images/image-manager.ts";
import type { CoreMetrics } from "../metrics.ts";
import { OwnActs } from "../own-acts.ts";
import { type Page, pageOf } from "../pages.ts";
import type { PreparedBox, WarmPool } from "../pool/warm-pool.ts";
import type { Clock } from "../ports/clock.ts";
import { type BoxDeath, defaultStopGraceMs, nothingStopped, type StopReport } from "../ports/engine.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord, PageRequest, RequestKey, Store } from "../ports/store.ts";
import { nowOrLater, type RetryTimes, untilDone, whileBusy } from "../retry.ts";
import type { ServerEvents } from "../server-events.ts";
import type { PublishedPorts } from "../services/published-ports.ts";
import type { SessionManager } from "../sessions/session-manager.ts";
import { boxSpec, boxView, initialWorkdir } from "../views.ts";
import { BoxChanges } from "./box-changes.ts";
import { findBox, requireAllowed } from "./box-lookup.ts";
import { BoxRecovery } from "./box-recovery.ts";
import { BoxTurns } from "./box-turns.ts";
import { commitBox } from "./commit.ts";
import { interrupted, removedInBetween } from "./interruptions.ts";
import type { KeptBoxes } from "./kept-boxes.ts";
import { Lifetimes } from "./lifetimes.ts";
import { expiryOf, newBoxRecord } from "./new-box.ts";
import type { Reach } from "./reach.ts";
import type { Resources } from "./resources.ts";
import { type BoxDisks, checkRoom, lookForRoom } from "./room-check.ts";
import { shownBox } from "./shown-box.ts";
import { specOf } from "./spec.ts";
import { checkVolumes } from "./volume-check.ts";

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

interface CreateOptions {
  readonly signal: AbortSignal;
  /** Called as soon as the box is in the list, long before it runs. */
  readonly onInserted?: (boxId: string) => void;
  /** The box belongs to the request, and goes with it. */
  readonly ephemeral?: boolean;
  /** Of the request, kept with the box. */
  readonly key?: RequestKey | undefined;
}

interface ShowOptions {
  /** Also the values of variables that are not to be shown. */
  readonly show_secrets?: boolean;
}

interface EndOptions {
  readonly force: boolean;
  /** Of a stop; by default the usual one. */
  readonly graceMs?: number;
}

/** More than an engine takes to end a VM by force, once its programs have had their time. */
const stopLimitMs = 60_000;

/**
 * The life of a box. Whatever changes a box holds its lock; a forced removal first interrupts what is in progress.
 * Every path out of a failure leaves the box in a state that says so and gives its resources back.
 */
export class BoxManager {
  readonly recovery: BoxRecovery;
  readonly lifetimes: Lifetimes;
  readonly #parts: Parts;
  readonly #acts: OwnActs;
  readonly #changes: BoxChanges;
  readonly #turns = new BoxTurns();
  /** How often a box was started: what tells the death of a VM from that of the one before. */
  readonly #lives = new Map<string, number>();
  readonly #released = new AbortController();
  #isDiskShort = false;

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
    this.recovery = new BoxRecovery({
      ...parts,
      changes: this.#changes,
      turns: this.#turns,
      released: this.#released.signal,
      endAll: (boxId, message) => this.#endAll(boxId, message, () => Promise.resolve()),
      reapNow: async (box) => {
        await this.#remove(box, { force: true });
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
    return await this.#parts.pool.behind(() => this.#create(request, options));
  }

  async #create(request: CreateBoxRequest, options: CreateOptions): Promise<Box> {
    // What can't be is refused before there is a box that would keep its name.
    this.#parts.images.requireReference(request.image);
    await checkVolumes(request.volumes ?? []);
    await checkRoom(request, this.#parts);
    const begunAtMs = this.#parts.clock.now();
    const prepared = this.#parts.pool.take(request);
    const box = await this.#insert(request, options, prepared);
    options.onInserted?.(box.id);
    const seconds = () => (this.#parts.clock.now() - begunAtMs) / 1000;
    try {
      const running = await this.#turns.interruptible(box.id, options.signal, (signal) =>
        this.#boot(box, request, signal, prepared),
      );
      this.#parts.metrics.createSeconds(seconds(), true);
      return running;
    } catch (error) {
      this.#parts.metrics.createSeconds(seconds(), false);
      throw error;
    }
  }

  start(idOrName: string, options: { readonly signal: AbortSignal }): Promise<Box> {
    const { id } = findBox(this.#parts.store, idOrName);
    return this.#parts.pool.behind(() =>
      this.#turns.interruptible(id, options.signal, (signal) => this.#start(id, signal)),
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
      let report = nothingStopped;
      await this.#endAll(box.id, "The box was stopped", async () => {
        report = await this.#engineEnds("stop", box, { force: true, graceMs });
      });
      const stopped = this.#changes.stopped(box);
      await this.#changes.stored(box, "is stopped");
      return { ...boxView(stopped), killed: [...report.killed], forced: report.forced };
    });
  }

  /** An engine that does not come to an end holds nobody up: whether the VM is gone is found out as of any box that does not answer. */
  async #stopInTime({ id, name }: BoxRecord, graceMs: number): Promise<StopReport> {
    const { engine, reach } = this.#parts;
    const ending = engine.stop(id, { graceMs });
    try {
      return await reach.inTime(id, `stop box ${name ?? id}`, ending, graceMs + stopLimitMs);
    } catch (error) {
      // A box that has answered in between ends by it all the same, and nothing else would tell.
      const lookAgain = () => reach.lost(id, "a stop that took too long has come to its end");
      if (isUnreachable(error)) ending.then(lookAgain, lookAgain);
      throw error;
    }
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
      await this.#remove(box, options);
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

  /** The engine noticed that a VM is gone which nobody asked to go. Never throws: the death is kept until it can be written down. */
  died({ boxId, reason }: BoxDeath): void {
    const { logger } = this.#parts;
    logger.warn({ box_id: boxId, reason }, "box died");
    const message = `The box died: ${reason}`;
    const life = this.#lives.get(boxId);
    // What is under way for the box comes first: it may know of its VM what the store does not yet.
    const write = () => this.#turns.run(boxId, () => this.#writeDeath(boxId, life, message));
    this.#endAll(boxId, message, write).catch((error: unknown) => {
      if (!this.#released.signal.aborted) logger.error({ box_id: boxId, err: error }, "a death was not written down");
    });
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

  async #remove(box: BoxRecord, options: { readonly force: boolean }): Promise<void> {
    await this.#endAll(box.id, "The box was removed", async () => {
      await this.#engineEnds("remove", box, options);
    });
    this.#changes.removed(box);
    this.lifetimes.forget(box.id);
    this.#lives.delete(box.id);
    this.#parts.execs.wakeReaders();
    await this.#changes.stored(box, "is gone");
  }

  async #writeDeath(boxId: string, life: number | undefined, message: string): Promise<void> {
    const { store, logger, retryTimes: times } = this.#parts;
    const box = await untilDone(() => store.boxes.get(boxId), {
      times,
      signal: this.#released.signal,
      onFailure: (error) => logger.error({ box_id: boxId, err: error }, "a box that died could not be read"),
    });
    if (box?.status !== "running" || this.#lives.get(boxId) !== life) return;
    this.#changes.failed(box, new BoxRunError("RUNTIME_ERROR", message));
  }

  /** Lets the engine end a box. If that fails half-way, the box is shown as what is left of it. */
  async #engineEnds(
    how: "stop" | "remove",
    box: BoxRecord,
    options: EndOptions = { force: true },
  ): Promise<StopReport> {
    const { engine, reach } = this.#parts;
    let report = nothingStopped;
    try {
      await this.#engine(how, async () => {
        if (how === "stop") report = await this.#stopInTime(box, options.graceMs ?? defaultStopGraceMs);
        else await engine.destroy(box, options);
      });
      return report;
    } catch (error) {
      // Not asked now: the engine is still at it.
      if (isUnreachable(error)) reach.lost(box.id, error.message);
      else if (box.status === "running" && box.imageDigest !== null) {
        const left = await this.recovery.adopt(box, this.#released.signal);
        if (left.state === "unreachable") reach.lost(box.id, left.why);
        else if (left.state !== "running") {
          const failure = toBoxRunError(error, "RUNTIME_ERROR");
          this.#changes.failed(box, failure);
          reach.over(box.id, failure);
        }
      }
      throw error;
    }
  }

  /**
   * Shows a box as running, and resolves once that is stored. If it can't be, or nobody wants the box any more, `undo` takes the VM back:
   * a box that was promised to someone is one that the next server knows.
   */
  async #showRunning(
    box: BoxRecord,
    signal: AbortSignal,
    undo: (why: BoxRunError, running: BoxRecord) => Promise<void>,
  ): Promise<Box> {
    const running = this.#changes.running(box);
    try {
      await this.#parts.keptBoxes.stored(box.id, signal);
      return this.#view(running);
    } catch (error) {
      const failure = signal.aborted ? interrupted(signal, error) : toBoxRunError(error, "RUNTIME_ERROR");
      await this.#endAll(box.id, failure.message, () => undo(failure, running)).catch((left: unknown) => {
        this.#parts.logger.error({ box_id: box.id, err: left }, "a box that could not be stored runs on");
      });
      throw failure;
    }
  }

  /** Ends what runs in a box by what `endBox` does to it. */
  #endAll(boxId: string, message: string, endBox: () => Promise<void>): Promise<void> {
    const { execs, sessions, unconfirmedEnds, reach } = this.#parts;
    const end = async () => {
      await endBox();
      unconfirmedEnds.boxEnded(boxId);
      reach.over(boxId, new BoxRunError("RUNTIME_ERROR", message));
    };
    return execs.endAll(boxId, message, () => sessions.endAll(boxId, message, end));
  }

  /** What boxes that are up may still write, if each fills its disk, in bytes. */
  async promisedDiskBytes(): Promise<number> {
    const { resources, boxDisks } = this.#parts;
    return resources.promisedDiskBytes(await boxDisks.written(resources.holders()));
  }

  /** RESOURCE_EXCEEDED if the box does not fit, also where those that were prepared give way to it. */
  async #reserve(box: BoxRecord): Promise<void> {
    const { resources, pool } = this.#parts;
    const room = await lookForRoom(this.#parts, resources.holders());
    for (;;) {
      try {
        resources.reserve(box.id, box, room);
        break;
      } catch (error) {
        if (!(await pool.makeRoom(box, room))) throw error;
      }
    }
    this.#warnOfDisk(resources.promisedDiskBytes(room.writtenDiskBytes), room.freeDiskBytes);
  }

  /** Once, when boxes may write more than there is room for, and once more only if they could not in between. */
  #warnOfDisk(promised: number, free: number): void {
    const wasShort = this.#isDiskShort;
    this.#isDiskShort = promised > free;
    if (!this.#isDiskShort || wasShort) return;
    this.#parts.logger.warn(
      { promised_bytes: promised, free_bytes: free },
      "boxes that are up may write more to their disks than the host's disk has room for: `boxrun df` shows what takes how much",
    );
  }

  async #insert(
    request: CreateBoxRequest,
    { ephemeral = false, key }: CreateOptions,
    prepared: PreparedBox | undefined,
  ): Promise<BoxRecord> {
    const { store, resources, published, clock, engine, events, retryTimes } = this.#parts;
    const wanted = newBoxRecord(prepared?.id ?? newBoxId(), request, engine.name, clock.now(), ephemeral);
    let box = wanted;
    try {
      await this.#reserve(wanted);
      box = { ...wanted, ports: await published.open(wanted) };
      await whileBusy(() => store.boxes.insert(box, key), retryTimes);
    } catch (error) {
      if (prepared === undefined) resources.release(wanted.id);
      else prepared.giveBack();
      published.close(wanted.id);
      throw error;
    }
    this.lifetimes.watch(box);
    events.box(this.#view(box));
    return box;
  }

  async #boot(
    box: BoxRecord,
    request: CreateBoxRequest,
    signal: AbortSignal,
    prepared: PreparedBox | undefined,
  ): Promise<Box> {
    const { engine, images } = this.#parts;
    let current = box;
    try {
      const pull = { signal, onProgress: () => undefined };
      const digest = await images.use(box.image, pull, (image) => {
        signal.throwIfAborted();
        current = this.#changes.update(current, {
          imageDigest: image.digest,
          imageConfig: image.config,
          workdir: initialWorkdir(request.workdir ?? image.config.workdir),
        });
        return image.digest;
      });
      const onEngineId = (engineId: string) => {
        current = this.#changes.update(current, { engineId });
      };
      const spec = boxSpec(current, digest, images.layoutDir(digest));
      await this.#engine("create", () => engine.create(spec, { signal, onEngineId }));
    } catch (error) {
      const failure = signal.aborted ? interrupted(signal, error) : toBoxRunError(error, "RUNTIME_ERROR");
      // The engine may not have heard of the create.
      await prepared?.discard();
      this.#changes.failed(current, failure);
      if (box.ephemeral) throw failure;
      // The box is left: whoever asked for it has no other way to learn its id.
      const { code, message, status, details } = failure;
      throw new BoxRunError(code, message, { status, details: { ...details, box_id: box.id }, cause: error });
    }
    return this.#showRunning(current, signal, async (why, running) => {
      await this.#engineEnds("remove", running);
      this.#changes.failed(this.#changes.update(running, { startedAtMs: null }), why);
    });
  }

  async #start(id: string, signal: AbortSignal): Promise<Box> {
    const box = findBox(this.#parts.store, id);
    requireAllowed(box, "start");
    await this.#parts.engine.requireUsable(box);
    const spec = specOf(box, this.#parts.images);
    await checkVolumes(box.volumes ?? []);
    await this.#reserve(box);
    this.#lives.set(id, (this.#lives.get(id) ?? 0) + 1);
    try {
      await this.#parts.published.open(box);
      await this.#engine("start", () => this.#parts.engine.start(spec, { signal }));
    } catch (error) {
      this.#parts.resources.release(box.id);
      this.#parts.published.close(box.id);
      throw signal.aborted ? interrupted(signal, error) : error;
    }
    return this.#showRunning(box, signal, async (_, running) => {
      await this.#engineEnds("stop", running);
      this.#changes.stopped(running);
    });
  }

  async #engine(operation: string, call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.#parts.metrics.engineError(operation);
      throw toBoxRunError(error, "RUNTIME_ERROR");
    }
  }

  #view(record: BoxRecord, { show_secrets = false }: ShowOptions = {}): Box {
    const shown = shownBox(record, this.#parts);
    return show_secrets ? { ...shown, env: record.env } : shown;
  }
}
