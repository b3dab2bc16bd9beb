import type { Address, FoundServer } from "./address.ts";

/**
 * A URL in BOXRUN_HOST; else the server's socket (BOXRUN_SOCKET, or in BOXRUN_STATE_DIR, by default ~/.boxrun) if it is there; else BOXRUN_HOST and
 * BOXRUN_PORT, by default 127.0.0.1 and 9090. Built-ins are taken when they are needed: importing the client loads nothing.
 */
export function findServer(env: NodeJS.ProcessEnv = process.env): FoundServer {
  return { ...addressIn(env), token: env.BOXRUN_TOKEN || undefined };
}

function addressIn(env: NodeJS.ProcessEnv): Address {
  const host = env.BOXRUN_HOST || "127.0.0.1";
  if (host.includes("://")) return parseAddress(host, "BOXRUN_HOST");
  const socketPath = socketIn(env);
  if (process.getBuiltinModule("node:fs").existsSync(socketPath)) return { socketPath };
  const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return parseAddress(`http://${bracketed}:${env.BOXRUN_PORT || "9090"}`, "BOXRUN_HOST and BOXRUN_PORT");
}

function socketIn(env: NodeJS.ProcessEnv): string {
  const { join, resolve } = process.getBuiltinModule("node:path");
  const stateDir = () => env.BOXRUN_STATE_DIR || join(process.getBuiltinModule("node:os").homedir(), ".boxrun");
  return resolve(env.BOXRUN_SOCKET || join(stateDir(), "boxrun.sock"));
}

function parseAddress(text: string, where: string): Address {
  if (text.startsWith("unix:///")) return { socketPath: text.slice("unix://".length) };
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return { baseUrl: text };
  throw new TypeError(
    `BoxRunClient: ${where} is ${JSON.stringify(text)}, which is no server's address; it is http://HOST:PORT, https://HOST or unix:///PATH`,
  );
}
