import { flushCompileCache } from "node:module";
import { exitCodes } from "../exit-codes.ts";
import { CommandFailure } from "../failure.ts";
import { reporterOf } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly host?: string;
  readonly port?: string;
  readonly tcp: boolean;
  readonly socket?: string;
  readonly stateDir?: string;
  readonly engine?: string;
  readonly stopBoxes?: boolean;
  readonly logFile?: string;
  readonly logLevel?: string;
}

export function define(command: Verb): void {
  command
    .option("--host <address>", "listen on this address; other than loopback needs BOXRUN_TOKEN (default: 127.0.0.1)")
    .option("--port <port>", "listen on this port (default: 9090; 0: any free one)")
    .option("--no-tcp", "listen on the Unix socket alone")
    .option("--socket <path>", "the Unix socket (default: boxrun.sock in the state directory)")
    .option("--state-dir <path>", "socket, database, boxes and images (default: ~/.boxrun)")
    .option("--engine <name>", "auto, boxlite or qemu (default: auto, boxlite where it works)")
    .option("--stop-boxes", "stop the boxes with the server (default: they run on)")
    .option("--log-file <path>", "log there (default: to standard error)")
    .option("--log-level <level>", "trace, debug, info, warn, error, fatal or silent (default: info)")
    .addHelpText(
      "after",
      `
SIGTERM and Ctrl-C stop the server in 10 s at most.

Examples:
  $ boxrun serve
  $ boxrun serve --no-tcp --state-dir /srv/boxrun
  $ boxrun serve --engine qemu
  $ BOXRUN_TOKEN=$(openssl rand -hex 16) boxrun serve --host 0.0.0.0
`,
    )
    .action((options: Options) => run(command, options));
}

async function run(command: Verb, flags: Options): Promise<void> {
  const { serve } = await import("@boxrun/server");
  try {
    const server = await serve({ flags, env: serverEnv(process.env) });
    const tcp = server.tcp === null ? null : `http://${hostText(server.tcp.host)}:${server.tcp.port}`;
    const addresses = [`unix://${server.socketPath}`, ...(tcp === null ? [] : [tcp])];
    await reporterOf(command).result(
      { pid: process.pid, version: server.version, socket: server.socketPath, tcp },
      () => `BoxRun ${server.version} serves on ${addresses.join(" and ")}\n`,
    );
    // Node.js writes it when a process ends by itself, and many a server is killed: without it a start takes more than twice as long.
    flushCompileCache();
    await server.stopped;
  } catch (error) {
    process.exitCode = exitCodes.failure;
    throw new CommandFailure("serve", error);
  }
}

/** A BOXRUN_HOST with a scheme is where clients call, not where a server listens. */
function serverEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { BOXRUN_HOST: host, ...others } = env;
  return host === undefined || host.includes("://") ? others : env;
}

function hostText(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
