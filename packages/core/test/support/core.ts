import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBoxRequestSchema, execRequestSchema } from "@boxrun/contract";
import { createMemoryEngine, type MemoryEngine, type MemoryEngineOptions, MemoryHost } from "@boxrun/engine-testkit";
import { openStore } from "@boxrun/store";
import {
  BoxRunCore,
  type Clock,
  type CoreOptions,
  noMetrics,
  type OtherEngines,
  type OutputEvent,
  type Store,
  silentLogger,
  systemClock,
} from "../../src/index.ts";
import { MemoryImages } from "./images.ts";

interface HarnessOptions {
  readonly clock?: Clock;
  readonly engine?: Omit<MemoryEngineOptions, "host">;
  readonly outputLimitBytes?: number;
  readonly readerStallMs?: number;
  readonly maxMemoryMb?: number;
  readonly diskOvercommit?: number;
  readonly boxDisks?: CoreOptions["boxDisks"];
  readonly retryTimes?: CoreOptions["retryTimes"];
  readonly logger?: CoreOptions["logger"];
  readonly pool?: CoreOptions["pool"];
}

/** A core on a real SQLite file and the in-memory engine, which can be "killed" and started again on what it left. */
export class CoreHarness implements AsyncDisposable {
  readonly host = new MemoryHost();
  readonly images = new MemoryImages();
  readonly directory: string;
  readonly #options: HarnessOptions;
  #running: { readonly core: BoxRunCore; readonly engine: MemoryEngine; readonly store: Store } | undefined;

  private constructor(directory: string, options: HarnessOptions) {
    this.directory = directory;
    this.#options = options;
  }

  static async open(options: HarnessOptions = {}): Promise<CoreHarness> {
    const harness = new CoreHarness(await mkdtemp(join(tmpdir(), "boxrun-core-")), options);
    await harness.restart();
    return harness;
  }

  get core(): BoxRunCore {
    return this.#parts.core;
  }

  get engine(): MemoryEngine {
    return this.#parts.engine;
  }

  get store(): Store {
    return this.#parts.store;
  }

  get #parts() {
    if (this.#running === undefined) throw new Error("the core is not running");
    return this.#running;
  }

  /** Lets go of everything, as a server that stops, and comes up again on the same store and boxes. */
  async restart(engines: { readonly chosen?: MemoryEngine; readonly others?: OtherEngines } = {}): Promise<void> {
    await this.close();
    const store = openStore({ path: join(this.directory, "boxrun.db") });
    const engine = engines.chosen ?? createMemoryEngine({ ...this.#options.engine, host: this.host });
    const core = new BoxRunCore({
      store,
      engine,
      ...(engines.others && { otherEngines: engines.others }),
      images: this.images,
      clock: this.#options.clock ?? systemClock,
      logger: this.#options.logger ?? silentLogger,
      metrics: noMetrics,
      limits: {
        maxCpu: 16,
        maxMemoryMb: this.#options.maxMemoryMb ?? 16_384,
        ...(this.#options.diskOvercommit && { diskOvercommit: this.#options.diskOvercommit }),
      },
      ...(this.#options.boxDisks && { boxDisks: this.#options.boxDisks }),
      ...(this.#options.pool && { pool: this.#options.pool }),
      outputLimitBytes: this.#options.outputLimitBytes ?? 64 * 1024 * 1024,
      readerStallMs: this.#options.readerStallMs ?? 60_000,
      version: "test",
      ...(this.#options.retryTimes && { retryTimes: this.#options.retryTimes }),
    });
    this.#running = { core, engine, store };
    await core.recover();
  }

  /** Gone without a word, as a server that is killed; `restart` follows. */
  async crash(): Promise<void> {
    const { engine, store } = this.#parts;
    this.#running = undefined;
    // In this order: what the old core still does reaches neither the box nor the file.
    await store.close();
    await engine.close();
  }

  async close(): Promise<void> {
    if (this.#running === undefined) return;
    const { core, store } = this.#running;
    this.#running = undefined;
    await core.close({ stopBoxes: false });
    await store.close();
  }

  create(request: Record<string, unknown> = {}, signal: AbortSignal = never) {
    return this.core.boxes.create(createBoxRequestSchema.parse({ image: "base", ...request }), { signal });
  }

  start(box: string, cmd: readonly string[], more: Record<string, unknown> = {}) {
    return this.core.execs.start(box, execRequestSchema.parse({ cmd, ...more }));
  }

  /** Every event of an exec behind `after`, to its end. */
  async events(box: string, execId: string, after = 0): Promise<OutputEvent[]> {
    const { id } = this.core.execs.get(box, execId);
    const all: OutputEvent[] = [];
    for await (const events of this.core.execs.events(id, { after, signal: never })) all.push(...events);
    return all;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running !== undefined) {
      for (const box of this.core.boxes.list()) await this.core.boxes.removeIfThere(box.id);
    }
    await this.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

export const never = new AbortController().signal;

export function stdout(events: readonly OutputEvent[]): string {
  return events.map((event) => (event.kind === "log" && event.stream === "stdout" ? event.data : "")).join("");
}
