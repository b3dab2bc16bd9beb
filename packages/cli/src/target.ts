import { hostname, networkInterfaces } from "node:os";
import { join, resolve } from "node:path";
import { localContext, readContexts } from "./contexts/file.ts";
import { CliError } from "./failure.ts";
import { homeDir } from "./home.ts";

/** What a command was told of the server to talk to, on its line. */
export interface TargetOptions {
  readonly host?: string | undefined;
  readonly context?: string | undefined;
}

/** Which server a command talks to. */
export type Target = Address & {
  readonly token: string | undefined;
  /** The name of its context; `undefined` for a server that was named by its address. */
  readonly context: string | undefined;
  readonly chosenBy: Choice;
};

type Address =
  | {
      readonly kind: "socket";
      readonly socketPath: string;
      /** Of the server that belongs there; `undefined` for a socket named as a host, whose server is somebody else's to start. */
      readonly stateDir: string | undefined;
    }
  | { readonly kind: "url"; readonly baseUrl: string };

type Choice =
  | "--host"
  | "--context"
  | "BOXRUN_HOST"
  | "BOXRUN_CONTEXT"
  | "BOXRUN_SOCKET"
  | "BOXRUN_STATE_DIR"
  | "current context"
  | "default";

export function stateDirOf(env: NodeJS.ProcessEnv): string {
  return resolve(env.BOXRUN_STATE_DIR || join(homeDir(), ".boxrun"));
}

function ownSocket(env: NodeJS.ProcessEnv): string {
  return resolve(env.BOXRUN_SOCKET || join(stateDirOf(env), "boxrun.sock"));
}

/** The server of this user on this host, started when it is needed. */
export type OwnTarget = Extract<Target, { kind: "socket" }> & { readonly stateDir: string };

export function isOwn(target: Target): target is OwnTarget {
  return target.kind === "socket" && target.stateDir !== undefined;
}

/** For messages: `unix:///run/boxrun.sock` or the base URL. */
export function addressOf(target: Target): string {
  return target.kind === "url" ? target.baseUrl : `unix://${target.socketPath}`;
}

/**
 * What is typed goes before the environment, that before the file: --host, --context, BOXRUN_HOST, BOXRUN_CONTEXT, the own server where
 * BOXRUN_SOCKET or BOXRUN_STATE_DIR name it, the current context, the own server. BOXRUN_HOST may also be an address of this host, which is
 * where `boxrun serve` listens, and says nothing about where to call; anything else that is no server's address is USAGE.
 */
export function resolveTarget({ host, context }: TargetOptions, env: NodeJS.ProcessEnv): Target {
  const token = env.BOXRUN_TOKEN || undefined;
  if (host !== undefined) return { ...parseHost("--host", host), token, context: undefined, chosenBy: "--host" };
  if (context !== undefined) return contextTarget(context, "--context", env);
  if (env.BOXRUN_HOST && !isListeningAddress(env.BOXRUN_HOST)) {
    return { ...parseHost("BOXRUN_HOST", env.BOXRUN_HOST), token, context: undefined, chosenBy: "BOXRUN_HOST" };
  }
  if (env.BOXRUN_CONTEXT) return contextTarget(env.BOXRUN_CONTEXT, "BOXRUN_CONTEXT", env);
  if (env.BOXRUN_SOCKET) return ownTarget("BOXRUN_SOCKET", env);
  if (env.BOXRUN_STATE_DIR) return ownTarget("BOXRUN_STATE_DIR", env);
  const { current } = readContexts(env);
  return contextTarget(current, current === localContext ? "default" : "current context", env);
}

/** What `boxrun serve` takes for BOXRUN_HOST, as far as it is this host's. */
function isListeningAddress(host: string): boolean {
  if (["localhost", "0.0.0.0", "::", hostname()].includes(host)) return true;
  return Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === host));
}

function ownTarget(chosenBy: Choice, env: NodeJS.ProcessEnv): OwnTarget {
  return {
    kind: "socket",
    socketPath: ownSocket(env),
    stateDir: stateDirOf(env),
    token: env.BOXRUN_TOKEN || undefined,
    context: localContext,
    chosenBy,
  };
}

function contextTarget(name: string, chosenBy: Choice, env: NodeJS.ProcessEnv): Target {
  if (name === localContext) return ownTarget(chosenBy, env);
  const { contexts } = readContexts(env);
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (context === undefined) {
    throw new CliError(
      chosenBy === "current context" ? "CONFIG_FILE" : "USAGE",
      `There is no context ${JSON.stringify(name)}, which ${chosenBy === "current context" ? "is the current one" : `${chosenBy} names`}`,
      "`boxrun context ls` lists them, `boxrun context add` adds one, `boxrun context use local` goes back to your own server.",
    );
  }
  const token = context.token ?? (env.BOXRUN_TOKEN || undefined);
  return { ...parseHost(`the host of context ${name}`, context.host), token, context: name, chosenBy };
}

/** USAGE for what is no server's address; `name` says where it stands. */
export function parseHost(name: string, host: string): Address {
  if (host.startsWith("unix://")) {
    const socketPath = host.slice("unix://".length);
    if (socketPath.startsWith("/")) return { kind: "socket", socketPath, stateDir: undefined };
  } else if (/^https?:\/\//.test(host) && URL.canParse(host)) {
    const { username, password, search, hash } = new URL(host);
    // Not shown: it may hold a password.
    if (username !== "" || password !== "") {
      throw new CliError(
        "USAGE",
        `${name} has a user or password in it`,
        "A server asks for a token: set BOXRUN_TOKEN.",
      );
    }
    if (search === "" && hash === "") return { kind: "url", baseUrl: host };
  }
  throw new CliError(
    "USAGE",
    `${name} is ${JSON.stringify(host)}, which is no server's address`,
    "It is unix:///path/to/boxrun.sock, http://HOST:PORT or https://HOST[:PORT].",
  );
}
