import { isDeepStrictEqual } from "node:util";
import type { BoxStats, StatsHistory, StatsOverview, StatsOverviewEvent } from "@boxrun/contract";
import { findBox, requireAllowed } from "../boxes/box-lookup.ts";
import type { Reach } from "../boxes/reach.ts";
import type { Clock } from "../ports/clock.ts";
import type { BoxUsage, UsageOptions } from "../ports/engine.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord, Store } from "../ports/store.ts";
import { unlessAborted } from "../unless-aborted.ts";
import { type Measured, Meter } from "./meter.ts";
import { Quiet } from "./quiet.ts";
import { Sampler } from "./sampler.ts";
import { keptSamples, type SampleColumns, stepMs } from "./samples.ts";

interface Parts {
  readonly store: Store;
  readonly engine: {
    usage(boxId: string, options: UsageOptions): Promise<BoxUsage>;
    reclaimMemory(boxId: string): Promise<void>;
  };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly reach: Pick<Reach, "why">;
}

/** Between the two readings that a rate needs, and between two that somebody follows. */
const firstGapMs = 300;
const followMs = 2_000;

/** How many boxes are told of in one event. */
const atATime = 100;

/** What is kept of a running box. */
interface Watched {
  readonly meter: Meter;
  readonly quiet: Quiet;
}

/** What running boxes use, now and in the last hour. Nothing of it is stored. One that has been at work and rests now is told to give back memory. */
export class StatsManager {
  readonly #parts: Parts;
  /** Of running boxes. */
  readonly #watched = new Map<string, Watched>();
  readonly #sampler: Sampler;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#sampler = new Sampler({
      ...parts,
      stepMs,
      sample: (box) => this.#step(box),
      keepOnly: (ids) => this.#keepOnly(ids),
    });
  }

  /** Begins to keep the last hour. */
  start(): void {
    this.#sampler.start();
  }

  close(): void {
    this.#sampler.close();
  }

  /** BOX_NOT_RUNNING; NOT_SUPPORTED by an engine that can't tell. A box that does not answer is told by what the host knows. */
  async read(idOrName: string, { signal }: { readonly signal: AbortSignal }): Promise<BoxStats> {
    const box = findBox(this.#parts.store, idOrName);
    requireAllowed(box, "exec");
    const { meter } = this.#watch(box);
    let measured = await meter.measure();
    if (measured.sample.hostCpuPercent === null) {
      await this.#pause(firstGapMs, signal);
      measured = await meter.measure();
    }
    return shown(box, measured);
  }

  /** A reading every two seconds, until the box runs no more or `signal` aborts. */
  async *follow(idOrName: string, options: { readonly signal: AbortSignal }): AsyncGenerator<BoxStats> {
    const { id } = findBox(this.#parts.store, idOrName);
    while (!options.signal.aborted) {
      yield await this.read(id, options);
      await this.#pause(followMs, options.signal).catch(() => undefined);
      if (this.#parts.store.boxes.get(id)?.status !== "running") return;
    }
  }

  /** The last hour of a running box; of one that does not run, nothing. */
  history(idOrName: string): StatsHistory {
    const { id } = findBox(this.#parts.store, idOrName);
    const samples = this.#watched.get(id)?.meter.samples.read() ?? nothing;
    return { step_seconds: stepMs / 1000, ...columnsOf(samples) };
  }

  /** All running boxes as they were at the last step, with their newest samples. */
  *overview(points: number): Generator<StatsOverview> {
    for (const id of this.#watched.keys()) {
      const now = this.#now(id);
      if (now !== undefined) yield { ...now, ...this.#recent(id, points) };
    }
  }

  /** All running boxes as they were at the last step, then at each step those that use something else, until `signal` aborts. Who is slow misses steps, and no state. */
  async *followOverview(points: number, options: { readonly signal: AbortSignal }): AsyncGenerator<StatsOverviewEvent> {
    const told = new Map<string, BoxStats>();
    while (!options.signal.aborted && !this.#sampler.isClosed) {
      const step = this.#sampler.nextStep();
      const ids = [...this.#watched.keys()];
      let changed: StatsOverview[] = [];
      let boxes = 0;
      for (const id of ids) {
        const now = this.#now(id);
        if (now === undefined) continue;
        boxes += 1;
        const before = told.get(id);
        if (before !== undefined && usesTheSame(before, now)) continue;
        told.set(id, now);
        changed.push(before === undefined ? { ...now, ...this.#recent(id, points) } : now);
        if (changed.length < atATime) continue;
        yield { event: "stats", data: changed };
        changed = [];
      }
      if (changed.length > 0) yield { event: "stats", data: changed };
      const there = new Set(ids);
      for (const id of told.keys()) if (!there.has(id)) told.delete(id);
      yield { event: "step", data: { at: this.#parts.clock.now() / 1000, boxes } };
      await unlessAborted(step, options.signal).catch(() => undefined);
    }
  }

  /** Of a box that runs and was read. */
  #now(id: string): BoxStats | undefined {
    const latest = this.#watched.get(id)?.meter.latest;
    const box = latest && this.#parts.store.boxes.get(id);
    return latest && box?.status === "running" ? shown(box, latest) : undefined;
  }

  #recent(id: string, points: number): Pick<StatsOverview, "recent"> {
    const samples = this.#watched.get(id)?.meter.samples;
    if (points === 0 || samples === undefined) return {};
    const { at, cpu_percent, memory_bytes } = columnsOf(samples.read(Math.min(points, keptSamples)));
    return { recent: { at, cpu_percent, memory_bytes } };
  }

  async #step(box: BoxRecord): Promise<void> {
    const { meter, quiet } = this.#watch(box);
    if (!quiet.step(await meter.keep()) || this.#parts.reach.why(box.id) !== undefined) return;
    // Not waited for, for it may take seconds. A box that has just ended has nothing to give back.
    this.#parts.engine.reclaimMemory(box.id).catch(() => undefined);
  }

  #watch({ id }: BoxRecord): Watched {
    const known = this.#watched.get(id);
    if (known !== undefined) return known;
    const meter = new Meter(
      (options) => this.#usage(id, options),
      () => this.#parts.clock.now(),
    );
    const watched = { meter, quiet: new Quiet() };
    this.#watched.set(id, watched);
    return watched;
  }

  /** A box that is known not to answer is not asked. */
  async #usage(boxId: string, options: UsageOptions): Promise<BoxUsage> {
    const { engine, reach } = this.#parts;
    const why = reach.why(boxId);
    const read = await engine.usage(boxId, why === undefined ? options : { ...options, guest: false });
    return why === undefined || !options.guest ? read : { ...read, guest: { state: "unreachable", why } };
  }

  #keepOnly(ids: ReadonlySet<string>): void {
    for (const id of this.#watched.keys()) if (!ids.has(id)) this.#watched.delete(id);
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    using _ = this.#parts.clock.after(ms, resolve);
    await unlessAborted(promise, signal);
  }
}

/** But for the time of the reading, and less than a tenth of a percent of a CPU. */
function usesTheSame(before: BoxStats, now: BoxStats): boolean {
  return isDeepStrictEqual(comparable(before), comparable(now));
}

function comparable({ at: _, cpu_percent, host_cpu_percent, ...rest }: BoxStats) {
  const tenths = (value: number | null) => value && Math.round(value * 10);
  return { ...rest, cpu: tenths(cpu_percent), hostCpu: tenths(host_cpu_percent) };
}

const nothing: SampleColumns = {
  atMs: [],
  columns: {
    cpuPercent: [],
    memoryBytes: [],
    diskBytes: [],
    receivedPerSecond: [],
    sentPerSecond: [],
    processes: [],
    hostCpuPercent: [],
    hostMemoryBytes: [],
  },
};

function columnsOf({ atMs, columns }: SampleColumns): Omit<StatsHistory, "step_seconds"> {
  return {
    at: atMs.map((ms) => ms / 1000),
    cpu_percent: columns.cpuPercent,
    memory_bytes: columns.memoryBytes,
    disk_bytes: columns.diskBytes,
    network_received_per_second: columns.receivedPerSecond,
    network_sent_per_second: columns.sentPerSecond,
    processes: columns.processes,
    host_cpu_percent: columns.hostCpuPercent,
    host_memory_bytes: columns.hostMemoryBytes,
  };
}

function shown(box: BoxRecord, { reading, sample }: Measured): BoxStats {
  const { host, guest: answer } = reading.usage;
  const guest = reading.guest?.usage;
  return {
    box_id: box.id,
    at: new Date(reading.atMs).toISOString(),
    guest: answer.state === "not-asked" ? "idle" : answer.state,
    guest_error: answer.state === "unreachable" ? answer.why : null,
    cpu_percent: sample.cpuPercent,
    cpus: box.cpu,
    memory_bytes: sample.memoryBytes,
    memory_limit_bytes: guest?.memoryTotalBytes ?? box.memoryMb * 1024 * 1024,
    disk_bytes: sample.diskBytes,
    disk_size_bytes: guest?.diskSizeBytes ?? box.diskSizeGb * 1024 ** 3,
    network_received_bytes: guest?.network?.receivedBytes ?? null,
    network_sent_bytes: guest?.network?.sentBytes ?? null,
    processes: sample.processes,
    host_cpu_percent: sample.hostCpuPercent,
    host_memory_bytes: host.residentBytes,
    host_proportional_memory_bytes: host.proportionalBytes,
  };
}
