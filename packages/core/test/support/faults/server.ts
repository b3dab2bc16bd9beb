import { join } from "node:path";
import { createMemoryEngine, type MemoryEngine, type MemoryHost } from "@boxrun/engine-testkit";
import { openStore } from "@boxrun/store";
import {
  BoxRunCore,
  type Clock,
  noMetrics,
  type PoolSize,
  type Store,
  silentLogger,
  systemClock,
} from "../../../src/index.ts";
import { MemoryImages } from "../images.ts";
import { Faults, faultyEngine, faultyStore, type Weather } from "./faults.ts";
import { programs } from "./programs.ts";

const limits = { maxCpu: 64, maxMemoryMb: 65_536 };

/** Whatever the core gives time gets that much less of it. */
function impatientClock(impatience: number): Clock {
  return { ...systemClock, after: (ms, work) => systemClock.after(ms / impatience, work) };
}

/** One life of a server, on a store and an engine that may fail it. */
export interface ServerLife {
  readonly core: BoxRunCore;
  /** Without faults, for whoever checks. */
  readonly store: Store;
  readonly engine: MemoryEngine;
  /** Aborts when this life begins to end: its callers are told. */
  readonly leaving: AbortSignal;
  readonly faults: Faults;
  /** Lets go of everything, in order. */
  close(): Promise<void>;
  /** Gone without a word: what it was about to do reaches neither a box nor the file. */
  crash(): Promise<void>;
}

/** What outlives a life of a server. */
interface Remains {
  readonly host: MemoryHost;
  readonly directory: string;
  /** What every server keeps ready. */
  readonly pool: readonly PoolSize[];
  readonly impatience: number;
}

/** Begins a life on what the ones before have left. */
export async function beginLife({ directory, host, pool, impatience }: Remains, weather: Weather): Promise<ServerLife> {
  const faults = new Faults(weather);
  const store = openStore({ path: join(directory, "boxrun.db") });
  const engine = createMemoryEngine({ host, programs, killGraceMs: 1 });
  const leaving = new AbortController();
  let isGone = false;
  const core = new BoxRunCore({
    store: faultyStore(store, faults),
    engine: faultyEngine(engine, faults, () => isGone),
    images: new MemoryImages(),
    clock: impatientClock(impatience),
    logger: silentLogger,
    metrics: noMetrics,
    limits,
    pool,
    outputLimitBytes: 64 * 1024 * 1024,
    readerStallMs: 60_000,
    version: "test",
    retryTimes: { firstMs: 1, longestMs: 8, limitMs: 60 },
  });
  const end = async () => {
    leaving.abort();
    const closing = core.close({ stopBoxes: false });
    await engine.close();
    faults.abandon();
    await closing;
  };
  const life: ServerLife = {
    core,
    store,
    engine,
    leaving: leaving.signal,
    faults,
    close: async () => {
      await end();
      isGone = true;
      await store.close();
    },
    crash: async () => {
      isGone = true;
      await store.close();
      // Only so that nothing of it stays in this process.
      await end().catch(() => undefined);
    },
  };
  // Nothing hangs for longer than a server gives it.
  const patience = setInterval(() => faults.release(), 2);
  try {
    await core.recover();
    return life;
  } catch (error) {
    await life.crash();
    throw error;
  } finally {
    clearInterval(patience);
  }
}
