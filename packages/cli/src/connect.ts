import { connect as connectSocket } from "node:net";
import type { BoxRunClient } from "boxrun-sdk";
import type { Reporter } from "./reporter.ts";
import { isOwn, type Target } from "./target.ts";

interface ConnectOptions {
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
}

export interface Connection {
  readonly client: BoxRunClient;
  /** Starts this user's own server again if nobody listens any more. SERVER_START_FAILED. */
  readonly bringBack: () => Promise<void>;
}

/** A client of the server at `target`. This user's own server is started if it is not there, and again if it dies while it is followed. */
export async function connect(target: Target, options: ConnectOptions): Promise<Connection> {
  const start = async () => {
    if (!isOwn(target)) return;
    const { noteStart, startServer } = await import("./start-server.ts");
    noteStart(await startServer({ ...options, client, ...target }), options.reporter);
  };
  const bringBack = async () => {
    if (isOwn(target) && !(await hasListener(target.socketPath))) await start();
  };
  // Loaded while the socket is tried.
  const [client, isThere] = await Promise.all([
    openClient(target, bringBack),
    isOwn(target) ? hasListener(target.socketPath) : true,
  ]);
  if (!isThere) await start();
  return { client, bringBack };
}

/** A client of the server at `target`, whether it is there or not. */
export async function openClient(target: Target, bringBack?: () => Promise<void>): Promise<BoxRunClient> {
  const { BoxRunClient } = await import("boxrun-sdk");
  const { token } = target;
  return new BoxRunClient({
    ...(target.kind === "url" ? { baseUrl: target.baseUrl } : { socketPath: target.socketPath }),
    token,
    bringBack,
  });
}

/** `false` only where nobody listens for sure; any other trouble is the first call's to tell. */
export function hasListener(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(socketPath);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", (error) => {
      resolve(!("code" in error && ["ENOENT", "ENOTDIR", "ECONNREFUSED"].includes(String(error.code))));
    });
  });
}
