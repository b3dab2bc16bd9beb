import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { CliError } from "./failure.ts";

/** Which server a command talks to. */
export type Target =
  | {
      readonly kind: "socket";
      readonly socketPath: string;
      /** Of the server that belongs there; `undefined` for a socket named as a host, whose server is somebody else's to start. */
      readonly stateDir: string | undefined;
    }
  | { readonly kind: "url"; readonly baseUrl: string };

export function stateDirOf(env: NodeJS.ProcessEnv): string {
  return resolve(env.BOXRUN_STATE_DIR || join(homedir(), ".boxrun"));
}

function ownSocket(env: NodeJS.ProcessEnv): string {
  return resolve(env.BOXRUN_SOCKET || join(stateDirOf(env), "boxrun.sock"));
}

/**
 * `--host`, else BOXRUN_HOST, else the socket of this user's own server. BOXRUN_HOST without a scheme is the address that
 * `boxrun serve` listens on, and says nothing about where to call.
 */
export function resolveTarget(host: string | undefined, env: NodeJS.ProcessEnv): Target {
  const [name, given] = host === undefined ? ["BOXRUN_HOST", env.BOXRUN_HOST] : ["--host", host];
  if (given !== undefined && (host !== undefined || given.includes("://"))) return parseHost(name, given);
  return { kind: "socket", socketPath: ownSocket(env), stateDir: stateDirOf(env) };
}

function parseHost(name: string, host: string): Target {
  if (host.startsWith("unix://")) {
    const socketPath = host.slice("unix://".length);
    if (socketPath.startsWith("/")) return { kind: "socket", socketPath, stateDir: undefined };
  } else if (/^https?:\/\//.test(host) && URL.canParse(host)) {
    return { kind: "url", baseUrl: host };
  }
  throw new CliError(
    "USAGE",
    `${name} is ${JSON.stringify(host)}, which is no server's address`,
    "It is unix:///path/to/boxrun.sock, http://HOST:PORT or https://HOST[:PORT].",
  );
}
