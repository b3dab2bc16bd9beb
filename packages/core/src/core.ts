import {
  BoxRunError,
  type EngineChoice,
  type GcRequest,
  type GcResponse,
  type Info,
  type RunRequest,
  type RunResponse,
  type ServerEvent,
} from "@boxrun/contract";
import { findBox } from "./boxes/box-lookup.ts";
import { BoxManager } from "./boxes/box-manager.ts";
import { KeptBoxes, keptStore } from "./boxes/kept-boxes.ts";
import { Orphans } from "./boxes/orphans.ts";
import { Reach } from "./boxes/reach.ts";
import { type ResourceLimits, Resources } from "./boxes/resources.ts";
import type { BoxDisks } from "./boxes/room-check.ts";
import { Engines, noOtherEngines, type OtherEngines, withEngineTrouble } from "./engines.ts";
import { ExecManager } from "./execs/exec-manager.ts";
import { UnconfirmedEnds } from "./execs/unconfirmed-ends.ts";
import { FileManager } from "./files/file-manager.ts";
import { Gates } from "./gates.ts";
import { ImageManager } from "./images/image-manager.ts";
import { KeptWrites } from "./kept-writes.ts";
import type { CoreMetrics } from "./metrics.ts";
import type { PoolSize } from "./pool/shelf.ts";
import { WarmPool } from "./pool/warm-pool.ts";
import type { Clock } from "./ports/clock.ts";
import type { Engine } from "./ports/engine.ts";
import { type HostPorts, noHostPorts } from "./ports/host-ports.ts";
import type { ImageContent } from "./ports/images.ts";
import type { Logger } from "./ports/logger.ts";
import type { Store } from "./ports/store.ts";
import { KeyedRequests } from "./requests/keyed-requests.ts";
import { type RetryTimes, usualRetryTimes } from "./retry.ts";
import { ServerEvents } from "./server-events.ts";
import { PortManager } from "./services/port-manager.ts";
import { PublishedPorts } from "./services/published-ports.ts";
import { SessionManager } from "./sessions/session-manager.ts";
import { StatsManager } from "./stats/stats-manager.ts";
import { within } from "./within.ts";

export interface CoreOptions {
  readonly store: Store;
  /** Makes the new boxes. */
  readonly engine: Engine;
  /** For the boxes of other engines. Default: none. */
  readonly otherEngines?: OtherEngines;
  /** How `engine` came to be chosen, for `info`. */
  readonly engineChoice?: EngineChoice;
  readonly images: ImageContent;
  /** What is free where the boxes' disks are, in bytes. Default: enough. */
  readonly boxDisks?: BoxDisks;
  /** Where boxes' ports are published. Default: nowhere. */
  readonly hostPorts?: HostPorts;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: CoreMetrics;
  readonly limits: ResourceLimits;
  /** Boxes that are kept ready. Default: none. */
  readonly pool?: readonly PoolSize[];
  /** Bytes of output kept per exec. */
  readonly outputLimitBytes: number;
  /** How long a program is slowed down to a reader of its output that takes nothing. */
  readonly readerStallMs: number;
  readonly version: string;
  /** For tests: how patient it is with a store or an engine that fails. */
  readonly retryTimes?: RetryTimes;
}

/** How long a server that stops waits for what it is taking over. */
const leaveMs = 2_000;

const endlessDisk: BoxDisks = { free: async () => Number.POSITIVE_INFINITY, written: async () => 0 };

/** Everything BoxRun does, without a network in front of it. */
export class BoxRunCore {
  readonly boxes: BoxManager;
  readonly execs: ExecManager;
  readonly sessions: SessionManager;
  readonly files: FileManager;
  readonly services: PortManager;
  readonly images: ImageManager;
  readonly orphans: Orphans;
  readonly stats: StatsManager;
  /** What may be sent again. */
  readonly requests: KeyedRequests;
  readonly #options: CoreOptions;
  readonly #engines: Engines;
  readonly #resources: Resources;
  readonly #pool: WarmPool;
  readonly #unconfirmedEnds: UnconfirmedEnds;
  readonly #reach: Reach;
  readonly #published: PublishedPorts;
  readonly #events = new ServerEvents();
  readonly #keptWrites: KeptWrites;
  readonly #recovery = Promise.withResolvers<void>();
  readonly #gates = new Gates();
  readonly #leaving = new AbortController();
  /** Of `recover`, as long as it is under way. */
  #recovering: Promise<void> | undefined;
  #isRecovering = true;

  constructor(options: CoreOptions) {
    const { engine: chosen, otherEngines: others = noOtherEngines, logger, retryTimes = usualRetryTimes } = options;
    this.#keptWrites = new KeptWrites({ logger, times: retryTimes });
    const keptBoxes = new KeptBoxes(options.store.boxes, this.#keptWrites);
    const trueStore = keptStore(options.store, keptBoxes, this.#keptWrites);
    this.#engines = new Engines({ chosen, others, store: trueStore, logger });
    const store = withEngineTrouble(trueStore, this.#engines);
    this.#reach = new Reach({
      clock: options.clock,
      logger,
      probe: (boxId) => this.boxes.recovery.tryToReach(boxId),
      onChange: (boxId) => this.boxes.recovery.tellReach(boxId),
    });
    // Whether anybody waits for it is not known.
    this.#recovery.promise.catch(() => undefined);
    this.#published = new PublishedPorts({
      hostPorts: options.hostPorts ?? noHostPorts,
      connect: (boxId, port, call) => this.services.connect(boxId, port, call),
      logger,
    });
    const boxDisks = options.boxDisks ?? endlessDisk;
    const shared = { ...options, store, engine: this.#engines, events: this.#events, reach: this.#reach, retryTimes };
    this.#options = options;
    this.#resources = new Resources(options.limits);
    const onForget = (digest: string) => this.#pool.forget(digest);
    this.images = new ImageManager({ ...shared, content: options.images, onForget });
    const unconfirmedEnds = new UnconfirmedEnds(shared);
    this.#unconfirmedEnds = unconfirmedEnds;
    this.execs = new ExecManager({ ...shared, images: this.images, unconfirmedEnds });
    this.sessions = new SessionManager({ ...shared, unconfirmedEnds });
    const { images, execs, sessions } = this;
    const resources = this.#resources;
    this.#pool = new WarmPool({ ...shared, sizes: options.pool ?? [], images, resources, boxDisks });
    this.boxes = new BoxManager({
      ...shared,
      keptBoxes,
      images,
      execs,
      sessions,
      resources,
      pool: this.#pool,
      published: this.#published,
      unconfirmedEnds,
      boxDisks,
    });
    this.files = new FileManager(shared);
    this.services = new PortManager(shared);
    this.stats = new StatsManager({ ...shared, engine: this.#engines });
    this.requests = new KeyedRequests({ ...shared, boxes: this.boxes, execs });
    this.orphans = new Orphans({ ...shared, boxes: this.boxes });
    this.#engines.onDeath((death) => this.boxes.ends.died(death));
    this.#engines.onImpairment((boxId) => {
      const impaired = this.#engines.impairment(boxId);
      if (impaired === undefined) logger.info({ box_id: boxId }, "what is around a box works again");
      else logger.warn({ box_id: boxId, impaired }, "something around a box does not work");
      this.boxes.recovery.tellReach(boxId);
    });
  }

  /** Takes over what the last server left. Call it once; what changes boxes, or reads what is under way in them, waits for `recovered`. */
  async recover(): Promise<void> {
    const work = this.#takeOver(this.#leaving.signal);
    this.#recovering = work.catch(() => undefined);
    try {
      await work;
      this.#isRecovering = false;
      this.stats.start();
      this.#recovery.resolve();
    } catch (error) {
      this.#recovery.reject(error);
      throw error;
    }
  }

  /** Settles as `recover` does. */
  get recovered(): Promise<void> {
    return this.#recovery.promise;
  }

  /** Settles once what the last server has left of this box is taken over, whatever of the others is; as `recovered` does if there is no such box. */
  async boxRecovered(idOrName: string): Promise<void> {
    await Promise.race([this.recovered, ...this.#gateOf(idOrName)]);
  }

  #gateOf(idOrName: string): Promise<void>[] {
    try {
      return [this.#gates.opened(findBox(this.#options.store, idOrName).id)];
    } catch {
      // It is told by whoever does the operation, behind everything else.
      return [];
    }
  }

  get isRecovering(): boolean {
    return this.#isRecovering;
  }

  async #takeOver(signal: AbortSignal): Promise<void> {
    await this.#engines.examine();
    const { execs, sessions, unconfirmedEnds } = this.#options.store;
    // What the last server has left, and nothing that begins in a box that is in line while others are not.
    const leftExecs = Map.groupBy(execs.running(), ({ boxId }) => boxId);
    const leftUnconfirmed = Map.groupBy(unconfirmedEnds.list(), ({ boxId }) => boxId);
    const leftSessions = Map.groupBy(sessions.list(), ({ boxId }) => boxId);
    await this.boxes.recovery.recover(signal, async (boxId) => {
      await Promise.all([
        this.execs.recover(leftExecs.get(boxId) ?? []),
        this.sessions.recover(leftSessions.get(boxId) ?? []),
      ]);
      for (const end of leftUnconfirmed.get(boxId) ?? []) this.#unconfirmedEnds.tell(end);
      this.#gates.open(boxId);
    });
    signal.throwIfAborted();
    this.boxes.lifetimes.takeUp();
    // Nobody has to wait for these.
    void this.orphans.report();
    void this.#pool.open();
  }

  run(request: RunRequest, { signal }: { readonly signal: AbortSignal }): Promise<RunResponse> {
    return this.requests.run(request, { key: undefined, caller: signal, signal });
  }

  async gc({ older_than, output_older_than }: GcRequest): Promise<GcResponse> {
    const removed = await this.boxes.gc(older_than);
    if (output_older_than === undefined) return { removed };
    const { store, clock } = this.#options;
    return { removed, output_bytes: await store.output.expire(clock.now() - output_older_than * 1000) };
  }

  /** What is kept of the output of all commands. */
  outputBytes(): number {
    return this.#options.store.output.totalBytes();
  }

  async info(): Promise<Info> {
    const { engine, engineChoice, version } = this.#options;
    const { limits } = this.#resources;
    const used = this.#resources.used();
    const { leastMemoryMb, ownMemoryMb, ...described } = await engine.describe();
    return {
      max_cpu: limits.maxCpu,
      max_memory_mb: limits.maxMemoryMb,
      version,
      engine: {
        name: engine.name,
        ...described,
        capabilities: [...described.capabilities],
        ...(leastMemoryMb === undefined ? {} : { least_memory_mb: leastMemoryMb }),
        ...(ownMemoryMb === undefined ? {} : { own_memory_mb: ownMemoryMb }),
        ...engineChoice,
      },
      used_cpu: used.cpu,
      used_memory_mb: used.memoryMb,
      boxes: this.boxes.count(),
      ...(this.#isRecovering ? { recovering: true } : {}),
      ...(this.#pool.info.length === 0 ? {} : { pool: [...this.#pool.info] }),
    };
  }

  events(options: { readonly signal: AbortSignal }): AsyncIterable<ServerEvent> {
    return this.#events.watch(options.signal);
  }

  /** Lets go of everything; boxes and their execs run on unless `stopBoxes`. The store is not closed: it is the caller's. */
  async close(options: { readonly stopBoxes: boolean }): Promise<void> {
    // What is not taken over yet can't be stopped.
    if (options.stopBoxes) await this.#recovering;
    if (options.stopBoxes) await this.boxes.stopAll();
    this.#leaving.abort(new BoxRunError("CANCELED", "The server is shutting down"));
    if (this.#recovering !== undefined) await within(leaveMs, this.#recovering);
    // Beside the rest: nothing of it is anybody's.
    const poolEnded = this.#pool.close();
    this.stats.close();
    this.#reach.close(new BoxRunError("CANCELED", "The server is shutting down"));
    await this.sessions.release();
    await this.execs.release();
    await this.sessions.settled();
    await this.#unconfirmedEnds.release();
    this.#published.closeAll();
    this.boxes.release();
    this.#keptWrites.close();
    await poolEnded;
  }
}
