import { type Box, BoxRunError, type CreateBoxRequest, toBoxRunError } from "@boxrun/contract";
import type { Engines } from "../engines.ts";
import { newBoxId } from "../ids.ts";
import type { ImageManager } from "../images/image-manager.ts";
import type { CoreMetrics } from "../metrics.ts";
import type { PreparedBox, WarmPool } from "../pool/warm-pool.ts";
import type { Clock } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord, RequestKey, Store } from "../ports/store.ts";
import { type RetryTimes, whileBusy } from "../retry.ts";
import type { ServerEvents } from "../server-events.ts";
import type { PublishedPorts } from "../services/published-ports.ts";
import { boxSpec, initialWorkdir } from "../views.ts";
import type { Admission } from "./admission.ts";
import type { BoxChanges } from "./box-changes.ts";
import type { BoxEnds } from "./box-ends.ts";
import { findBox, requireAllowed } from "./box-lookup.ts";
import type { BoxTurns } from "./box-turns.ts";
import { engineCall } from "./engine-call.ts";
import { interrupted } from "./interruptions.ts";
import type { KeptBoxes } from "./kept-boxes.ts";
import type { Lifetimes } from "./lifetimes.ts";
import { newBoxRecord } from "./new-box.ts";
import type { Reach } from "./reach.ts";
import type { Resources } from "./resources.ts";
import { type BoxDisks, checkRoom } from "./room-check.ts";
import { shownBox } from "./shown-box.ts";
import { specOf } from "./spec.ts";
import { checkVolumes } from "./volume-check.ts";

interface Parts {
  readonly store: Store;
  /** Where what has happened to a box is written. */
  readonly keptBoxes: KeptBoxes;
  readonly engine: Engines;
  readonly images: ImageManager;
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
  readonly admission: Admission;
  readonly changes: BoxChanges;
  readonly ends: BoxEnds;
  readonly lifetimes: Lifetimes;
  readonly turns: BoxTurns;
}

export interface CreateOptions {
  readonly signal: AbortSignal;
  /** Called as soon as the box is in the list, long before it runs. */
  readonly onInserted?: (boxId: string) => void;
  /** The box belongs to the request, and goes with it. */
  readonly ephemeral?: boolean;
  /** Of the request, kept with the box. */
  readonly key?: RequestKey | undefined;
}

/** How boxes come up, new ones and those that were stopped. Every path out of a failure gives back what was reserved. */
export class BoxStarts {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Resolves with a running box. If it fails, the box stays as `error` until it is removed. */
  async create(request: CreateBoxRequest, options: CreateOptions): Promise<Box> {
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
      const running = await this.#parts.turns.interruptible(box.id, options.signal, (signal) =>
        this.#boot(box, request, signal, prepared),
      );
      this.#parts.metrics.createSeconds(seconds(), true);
      return running;
    } catch (error) {
      this.#parts.metrics.createSeconds(seconds(), false);
      throw error;
    }
  }

  /** Of a box that is there, and whose turn the caller has. */
  async start(id: string, signal: AbortSignal): Promise<Box> {
    const box = findBox(this.#parts.store, id);
    requireAllowed(box, "start");
    await this.#parts.engine.requireUsable(box);
    const spec = specOf(box, this.#parts.images);
    await checkVolumes(box.volumes ?? []);
    await this.#parts.admission.reserve(box);
    this.#parts.ends.beginsAnew(id);
    try {
      await this.#parts.published.open(box);
      await engineCall(this.#parts.metrics, "start", () => this.#parts.engine.start(spec, { signal }));
    } catch (error) {
      this.#parts.resources.release(box.id);
      this.#parts.published.close(box.id);
      throw signal.aborted ? interrupted(signal, error) : error;
    }
    return this.#showRunning(box, signal, async (_, running) => {
      await this.#parts.ends.engineEnds("stop", running);
      this.#parts.changes.stopped(running);
    });
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
      await this.#parts.admission.reserve(wanted);
      box = { ...wanted, ports: await published.open(wanted) };
      await whileBusy(() => store.boxes.insert(box, key), retryTimes);
    } catch (error) {
      if (prepared === undefined) resources.release(wanted.id);
      else prepared.giveBack();
      published.close(wanted.id);
      throw error;
    }
    this.#parts.lifetimes.watch(box);
    events.box(shownBox(box, this.#parts));
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
        current = this.#parts.changes.update(current, {
          imageDigest: image.digest,
          imageConfig: image.config,
          workdir: initialWorkdir(request.workdir ?? image.config.workdir),
        });
        return image.digest;
      });
      const onEngineId = (engineId: string) => {
        current = this.#parts.changes.update(current, { engineId });
      };
      const spec = boxSpec(current, digest, images.layoutDir(digest));
      await engineCall(this.#parts.metrics, "create", () => engine.create(spec, { signal, onEngineId }));
    } catch (error) {
      const failure = signal.aborted ? interrupted(signal, error) : toBoxRunError(error, "RUNTIME_ERROR");
      // The engine may not have heard of the create.
      await prepared?.discard();
      this.#parts.changes.failed(current, failure);
      if (box.ephemeral) throw failure;
      // The box is left: whoever asked for it has no other way to learn its id.
      const { code, message, status, details } = failure;
      throw new BoxRunError(code, message, { status, details: { ...details, box_id: box.id }, cause: error });
    }
    return this.#showRunning(current, signal, async (why, running) => {
      await this.#parts.ends.engineEnds("remove", running);
      this.#parts.changes.failed(this.#parts.changes.update(running, { startedAtMs: null }), why);
    });
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
    const running = this.#parts.changes.running(box);
    try {
      await this.#parts.keptBoxes.stored(box.id, signal);
      return shownBox(running, this.#parts);
    } catch (error) {
      const failure = signal.aborted ? interrupted(signal, error) : toBoxRunError(error, "RUNTIME_ERROR");
      await this.#parts.ends
        .endAll(box.id, failure.message, () => undo(failure, running))
        .catch((left: unknown) => {
          this.#parts.logger.error({ box_id: box.id, err: left }, "a box that could not be stored runs on");
        });
      throw failure;
    }
  }
}
