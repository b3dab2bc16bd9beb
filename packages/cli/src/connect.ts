import { connect as connectSocket } from "node:net";
import type { BoxRunClient } from "@boxrun/sdk";
import type { Reporter } from "./reporter.ts";
import type { Target } from "./target.ts";

interface ConnectOptions {
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
}

/** A client of the server at `target`. This user's own server is started if it is not there. */
export async function connect(target: Target, options: ConnectOptions): Promise<BoxRunClient> {
  const token = options.env.BOXRUN_TOKEN || undefined;
  // Loaded while the socket is tried.
  const [{ BoxRunClient }, isThere] = await Promise.all([
    import("@boxrun/sdk"),
    target.kind === "socket" && target.stateDir !== undefined ? hasListener(target.socketPath) : true,
  ]);
  if (target.kind === "url") return new BoxRunClient({ baseUrl: target.baseUrl, token });
  const client = new BoxRunClient({ socketPath: target.socketPath, token });
  if (!isThere && target.stateDir !== undefined) {
    const { startServer } = await import("./start-server.ts");
    await startServer({ ...options, client, socketPath: target.socketPath, stateDir: target.stateDir });
  }
  return client;
}

/** `false` only where nobody listens for sure; any other trouble is the first call's to tell. */
function hasListener(socketPath: string): Promise<boolean> {
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
