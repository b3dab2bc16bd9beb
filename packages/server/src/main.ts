import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError, stateDirFault } from "@boxrun/contract";
import { BoxRunCore, systemClock } from "@boxrun/core";
import { countBuffersWithHeap } from "@boxrun/host";
import { createImageContent } from "@boxrun/images";
import { lockStateDir, openStore } from "@boxrun/store";
import { publish } from "./discovery.ts";
import { boxDisks } from "./disk-usage.ts";
import { engineFactories } from "./engines/factories.ts";
import { wireEngines } from "./engines/wire.ts";
import { hostPorts } from "./host-ports.ts";
import { bracketed, type TcpAddress } from "./listen.ts";
import { openLog } from "./logger.ts";
import { createMetrics } from "./metrics.ts";
import { startHttpServer } from "./server.ts";
import { readSettings, type ServeFlags, type Settings } from "./settings.ts";
import { stopOnSignals } from "./signals.ts";
import { version } from "./version.ts";

export interface ServeOptions {
  readonly flags?: ServeFlags;
  readonly env?: NodeJS.ProcessEnv;
  /** Stop on SIGTERM and SIGINT, and end the process in 10 s whatever hangs, or in a minute if the settings say to stop the boxes. Default true. */
  readonly handleSignals?: boolean;
}

/** A server that takes calls. */
export interface RunningServer extends AsyncDisposable {
  readonly version: string;
  readonly stateDir: string;
  readonly socketPath: string;
  /** `null` without TCP. */
  readonly tcp: TcpAddress | null;
  /** Resolves when the server has stopped, for whatever reason but one: rejects if it could not take over what the last one left, and stops. */
  readonly stopped: Promise<void>;
  /**
   * Tells readers of events, finishes requests (5 s) and lets go of the boxes, which run on unless `stopBoxes`, by default as the
   * settings say. Idempotent.
   */
  stop(options?: { readonly stopBoxes?: boolean }): Promise<void>;
}

/**
 * Starts the server, which takes calls before it has taken over the boxes of the last one. This is where everything is wired. Rejects with a BoxRunError for a person if it can't: a setting that does not parse, a
 * state directory that another server has or that can't be written, a database that can't be used, an engine that does not work
 * here, an address that is taken.
 */
export async function serve(options: ServeOptions = {}): Promise<RunningServer> {
  countBuffersWithHeap();
  const settings = readSettings(options.flags ?? {}, options.env ?? process.env);
  // In the order in which they were opened; closed in reverse.
  await using opened = new AsyncDisposableStack();
  const spoolDir = await makeStateDir(settings.stateDir);
  const log = opened.adopt(openLog({ level: settings.logLevel, file: settings.logFile }), ({ close }) => close());
  const { logger } = log;
  opened.use(lockStateDir(settings.stateDir));
  const store = opened.adopt(
    openStore({ path: settings.dbPath, logger, retention: settings.retention, history: settings.history }),
    (open) => open.close(),
  );
  const metrics = createMetrics();
  const { stateDir, cacheDir, templateCacheMb, cgroup, pullIdleTimeoutMs } = settings;
  const images = createImageContent({ dir: join(stateDir, "images"), cacheDir, logger, pullIdleTimeoutMs });
  const engines = await wireEngines({
    requested: settings.engine,
    factories: engineFactories({ stateDir, cacheDir, templateCacheMb, cgroup, logger }),
    inUse: new Set(store.boxes.list().map(({ engine }) => engine)),
    ...{ images, stateDir, cacheDir, version, logger },
  });
  const core = new BoxRunCore({
    store,
    ...engines,
    images,
    hostPorts,
    boxDisks: boxDisks(stateDir),
    clock: systemClock,
    logger,
    metrics: metrics.core,
    limits: {
      maxCpu: settings.maxCpu,
      maxMemoryMb: settings.maxMemoryMb,
      diskOvercommit: settings.diskOvercommit,
    },
    pool: settings.pool,
    outputLimitBytes: settings.outputLimitBytes,
    readerStallMs: settings.readerStallMs,
    version,
  });
  // A server that does not come up leaves the boxes alone.
  let stopBoxes = false;
  opened.defer(() => core.close({ stopBoxes }));
  // From here on a signal stops the server in order, also one that comes before it serves.
  const started = Promise.withResolvers<RunningServer["stop"]>();
  if (options.handleSignals !== false) {
    opened.defer(
      stopOnSignals(
        async () => {
          const stop = await started.promise;
          await stop();
        },
        { logger, stopsBoxes: settings.stopBoxes },
      ),
    );
  }
  const http = await startHttpServer({ core, store, settings, logger, metrics, version, spoolDir });
  opened.defer(() => http.close());
  await publish(stateDir, { version, socket: http.socketPath, tcp: tcpText(http.tcp) });
  if (settings.tcp !== null && http.tcp === null) {
    logger.warn(
      { tcp: tcpText(settings.tcp) },
      "another program, or this host's own service, has the TCP port: only the socket is listened on",
    );
  }
  logger.info({ version, socket: http.socketPath, tcp: tcpText(http.tcp), state_dir: stateDir }, "serving");

  const parts = opened.move();
  stopBoxes = settings.stopBoxes;
  const stopped = Promise.withResolvers<void>();
  stopped.promise.catch(() => undefined);
  let stopping: Promise<void> | undefined;
  let failure: unknown;
  const stop: RunningServer["stop"] = (how) => {
    stopBoxes = how?.stopBoxes ?? stopBoxes;
    stopping ??= parts
      .disposeAsync()
      .finally(() => (failure === undefined ? stopped.resolve() : stopped.reject(failure)));
    return stopping;
  };
  // It takes calls already: what needs a box waits for it.
  core.recover().catch(async (error: unknown) => {
    if (stopping !== undefined) return;
    logger.fatal({ err: error }, "what the last server left could not be taken over; the server stops");
    failure = error;
    await stop({ stopBoxes: false });
  });
  started.resolve(stop);
  return {
    version,
    stateDir,
    socketPath: http.socketPath,
    tcp: http.tcp,
    stopped: stopped.promise,
    stop,
    [Symbol.asyncDispose]: () => stop(),
  };
}

/** Makes the state directory, readable for its owner alone, and refuses one where somebody else may write; returns the directory for uploads in it. */
async function makeStateDir(stateDir: string): Promise<string> {
  const spoolDir = join(stateDir, "tmp");
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    const fault = stateDirFault(await stat(stateDir), process.getuid?.());
    if (fault !== undefined) throw new Error(fault);
    await mkdir(spoolDir, { recursive: true, mode: 0o700 });
    return spoolDir;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BoxRunError(
      "RUNTIME_ERROR",
      `Cannot use the state directory ${stateDir}: ${why}. Choose another one with BOXRUN_STATE_DIR or --state-dir.`,
      { cause: error },
    );
  }
}

function tcpText(tcp: Settings["tcp"]): string | null {
  return tcp === null ? null : `${bracketed(tcp.host)}:${tcp.port}`;
}
