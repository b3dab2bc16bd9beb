import { connect as connectSocket } from "node:net";
import type { BoxRunClient } from "@boxrun/sdk";
import type { Reporter } from "./reporter.ts";
import { isOwn, type Target } from "./target.ts";

interface ConnectOptions {
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
}

/** A client of the server at `target`. This user's own server is started if it is not there. */
export async function connect(target: Target, options: ConnectOptions): Promise<BoxRunClient> {
  // Loaded while the socket is tried.
  const [client, isThere] = await Promise.all([
    openClient(target),
    isOwn(target) ? hasListener(target.socketPath) : true,
  ]);
  if (!isThere && isOwn(target)) {
    const { noteStart, startServer } = await import("./start-server.ts");
    noteStart(await startServer({ ...options, client, ...target }), options.reporter);
  }
  return client;
}

/** A client of the server at `target`, whether it is there or not. */
export async function openClient(target: Target): Promise<BoxRunClient> {
  const { BoxRunClient } = await import("@boxrun/sdk");
  const { token } = target;
  return new BoxRunClient(
    target.kind === "url" ? { baseUrl: target.baseUrl, token } : { socketPath: target.socketPath, token },
  );
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
