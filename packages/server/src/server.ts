import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { type BoxRunCore, type Store, Turns } from "@boxrun/core";
import type { Logger } from "pino";
import { buildApp } from "./app.ts";
import { Guard } from "./auth/guard.ts";
import { SignIns } from "./auth/sign-ins.ts";
import { Lifetime } from "./lifetime.ts";
import { type Listening, listen, type TcpAddress } from "./listen.ts";
import { ListingPlaces, type ListingPlacesOptions } from "./listing-places.ts";
import { Mcp } from "./mcp.ts";
import type { Metrics } from "./metrics.ts";
import { SendBudget } from "./send-budget.ts";
import type { Settings } from "./settings.ts";
import { routeUpgrade } from "./upgrade.ts";

/** Pieces of work that one turn of the event loop does for all readers of events together: a few milliseconds, however many they are. */
const piecesPerTurn = 4;

export interface HttpServerOptions {
  readonly core: BoxRunCore;
  readonly store: Pick<Store, "signIns" | "history">;
  readonly settings: Pick<
    Settings,
    | "socketPath"
    | "tcp"
    | "token"
    | "allowedHosts"
    | "basePath"
    | "historyArguments"
    | "stateDir"
    | "dbPath"
    | "cacheDir"
  >;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly version: string;
  /** An existing directory on disk. */
  readonly spoolDir: string;
  /** Between two comment lines of an event stream. Default 15 s. */
  readonly heartbeatMs?: number;
  /** What requests get to finish in when the server stops. Default 5 s. */
  readonly graceMs?: number;
  /** What may wait for readers that don't read. Default 64 MiB. */
  readonly maxHeldBytes?: number | undefined;
  readonly listings?: ListingPlacesOptions | undefined;
  /** How long a request waits for boxes that are being taken over. Default 30 s. */
  readonly recoveryWaitMs?: number | undefined;
  /** Whether the port that nobody asked for is the host's own service's. Default: whether there is one. */
  readonly portIsLeft?: (() => boolean) | undefined;
  /** The directory of the built dashboard, or nothing. Default: where it is built. */
  readonly locateDashboard?: (() => string | undefined) | undefined;
}

export interface HttpServer {
  readonly socketPath: string;
  readonly tcp: TcpAddress | null;
  /** Tells readers of events, finishes requests, gives up what takes too long, and closes every connection. */
  close(): Promise<void>;
}

/** What given-up work gets to clean up after itself, and answers to get out. */
const cleanUpMs = 2_000;
const flushMs = 500;

/** Serves the core on its sockets. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { core, settings, metrics } = options;
  const lifetime = new Lifetime();
  const { basePath } = settings;
  const signIns = new SignIns({ ...settings, store: options.store.signIns });
  const guard = new Guard({ ...settings, signIns });
  metrics.countBoxes(() => core.boxes.count());
  metrics.countSessions(() => core.sessions.count);
  const sending = { turns: new Turns(piecesPerTurn), budget: new SendBudget(options.maxHeldBytes) };
  metrics.countHeldBytes(() => sending.budget.bytes);
  const listings = new ListingPlaces(options.listings);
  const { stateDir, dbPath, socketPath, cacheDir } = settings;
  const places = { stateDir, dbPath, socketPath, cacheDir };
  let tcp: TcpAddress | null = null;
  const mcp = new Mcp({ socketPath: settings.socketPath, version: options.version });
  const app = await buildApp({
    heartbeatMs: 15_000,
    ...options,
    ...places,
    ...{ lifetime, guard, sending, listings, mcp },
    page: { basePath, locate: options.locateDashboard },
    history: { store: options.store.history, keepsArguments: settings.historyArguments === "keep" },
    signIn: { guard, signIns, basePath, address: () => tcp },
  });
  const handler = (...args: Parameters<typeof app.routing>) => app.routing(...args);
  const upgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    routeUpgrade(handler, request, socket, head);
  const listening = await listen({ settings, guard, handler, upgradeHandler, portIsLeft: options.portIsLeft });
  tcp = listening.tcp;
  return {
    socketPath: listening.socketPath,
    tcp,
    close: async () => {
      // While the server still answers: what sessions leave they clean up over its own socket.
      await within(cleanUpMs, mcp.close());
      await shutDown(listening, lifetime, options.graceMs ?? 5_000);
      await app.close();
    },
  };
}

async function shutDown(listening: Listening, lifetime: Lifetime, graceMs: number): Promise<void> {
  const closed = listening.close();
  lifetime.end();
  await within(graceMs, lifetime.idle());
  lifetime.giveUp();
  await within(cleanUpMs, lifetime.idle());
  listening.closeIdle();
  await within(flushMs, closed);
  listening.closeAll();
  await closed;
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  const timer = new AbortController();
  const timeout = delay(ms, undefined, { signal: timer.signal }).catch(() => undefined);
  await Promise.race([work, timeout]);
  timer.abort();
}
