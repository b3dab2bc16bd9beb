import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileEntry } from "@boxrun/contract";
import { BoxRunCore, systemClock } from "@boxrun/core";
import { createMemoryEngine, type MemoryEngine, type MemoryEngineOptions, MemoryHost } from "@boxrun/engine-testkit";
import { openStore } from "@boxrun/store";
import type { Logger } from "pino";
import { hostPorts } from "../../src/host-ports.ts";
import type { ListingPlacesOptions } from "../../src/listing-places.ts";
import { openLog } from "../../src/logger.ts";
import { createMetrics } from "../../src/metrics.ts";
import { type HttpServer, startHttpServer } from "../../src/server.ts";
import type { Settings } from "../../src/settings.ts";
import { fakeImageContent, type Pull } from "./image-content.ts";

export interface TestServerOptions {
  readonly stateDir?: string;
  readonly host?: MemoryHost;
  readonly programs?: MemoryEngineOptions["programs"];
  readonly pull?: Pull;
  readonly tcp?: Settings["tcp"];
  readonly token?: string;
  readonly allowedHosts?: readonly string[];
  readonly basePath?: string;
  readonly historyArguments?: Settings["historyArguments"];
  /** The directory of a dashboard; none is built without it. */
  readonly dashboardDir?: string;
  readonly maxCpu?: number;
  readonly heartbeatMs?: number;
  readonly graceMs?: number;
  readonly outputLimitBytes?: number;
  readonly readerStallMs?: number;
  readonly maxHeldBytes?: number;
  readonly listings?: ListingPlacesOptions;
  readonly recoveryWaitMs?: number;
  readonly portIsLeft?: () => boolean;
  /** The test calls `core.recover()` once the server listens. */
  readonly recoversLater?: boolean;
}

/** A server with everything real but the VMs: sockets, SQLite file, core. */
export interface TestServer extends AsyncDisposable {
  readonly http: HttpServer;
  readonly core: BoxRunCore;
  readonly logger: Logger;
  readonly engine: MemoryEngine;
  readonly host: MemoryHost;
  readonly stateDir: string;
  readonly spoolDir: string;
  /** A directory's entries, sorted by name. */
  readonly files: (box: string, path: string) => Promise<FileEntry[]>;
  /** Parsed lines of the log so far. */
  readonly log: () => Record<string, unknown>[];
  readonly rawLog: () => string;
  /** Stops the server and keeps the state directory for the next one. */
  readonly stop: () => Promise<void>;
}

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), "boxrun-")));
  const spoolDir = join(stateDir, "tmp");
  await mkdir(spoolDir, { recursive: true });
  const logFile = join(stateDir, "server.log");
  const { logger, close: closeLog } = openLog({ level: "debug", file: logFile });
  const host = options.host ?? new MemoryHost();
  const engine = createMemoryEngine({ host, killGraceMs: 50, ...(options.programs && { programs: options.programs }) });
  const store = openStore({ path: join(stateDir, "boxrun.db"), logger });
  const metrics = createMetrics();
  const core = new BoxRunCore({
    store,
    engine,
    images: fakeImageContent(options.pull),
    hostPorts,
    clock: systemClock,
    logger,
    metrics: metrics.core,
    limits: { maxCpu: options.maxCpu ?? 16, maxMemoryMb: 16_384 },
    outputLimitBytes: options.outputLimitBytes ?? 64 * 1024 * 1024,
    readerStallMs: options.readerStallMs ?? 60_000,
    version: "0.0.0-test",
  });
  if (options.recoversLater !== true) await core.recover();
  const close = async () => {
    await core.close({ stopBoxes: false });
    await store.close();
    closeLog();
  };
  const http = await startHttpServer({
    core,
    store,
    settings: {
      stateDir,
      dbPath: join(stateDir, "boxrun.db"),
      cacheDir: join(stateDir, "cache"),
      socketPath: join(stateDir, "boxrun.sock"),
      tcp: options.tcp === undefined ? { host: "127.0.0.1", port: 0 } : options.tcp,
      token: options.token ?? null,
      allowedHosts: options.allowedHosts ?? [],
      basePath: options.basePath ?? "",
      historyArguments: options.historyArguments ?? "keep",
    },
    logger,
    metrics,
    version: "0.0.0-test",
    spoolDir,
    ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
    graceMs: options.graceMs ?? 1_000,
    maxHeldBytes: options.maxHeldBytes,
    listings: options.listings,
    recoveryWaitMs: options.recoveryWaitMs,
    portIsLeft: options.portIsLeft,
    locateDashboard: () => options.dashboardDir,
  }).catch(async (error: unknown) => {
    await close();
    if (options.stateDir === undefined) await rm(stateDir, { recursive: true, force: true });
    throw error;
  });
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    await http.close();
    await close();
  };
  return {
    http,
    core,
    logger,
    engine,
    host,
    stateDir,
    spoolDir,
    files: (box, path) => Array.fromAsync(core.files.list(box, path, { signal: new AbortController().signal })),
    log: () =>
      readFileSync(logFile, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line): Record<string, unknown> => JSON.parse(line)),
    rawLog: () => readFileSync(logFile, "utf8"),
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
