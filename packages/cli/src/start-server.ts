import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stateDirFault } from "@boxrun/contract/plain";
import type { BoxRunClient } from "boxrun-sdk";
import { CliError } from "./failure.ts";
import { launcher } from "./launcher.ts";
import { spin } from "./output/spinner.ts";
import { printable } from "./output/text.ts";
import type { Reporter } from "./reporter.ts";
import { serverEnvironment } from "./server-environment.ts";
import { liveServer, serverPid } from "./server-pid.ts";

interface StartOptions {
  readonly client: BoxRunClient;
  readonly socketPath: string;
  readonly stateDir: string;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
}

/** The first start on a host may have to try an engine, which takes 35 s at most. */
const deadlineMs = 60_000;
const pollMs = 25;
const maxLogBytes = 10 * 1024 * 1024;
const logTailBytes = 4096;
const logTailLines = 10;

/**
 * Starts this user's server in the background and waits until it answers. Of two commands that do so at the same moment, one server
 * gets the state directory; both commands wait for that one, which only one of them has started. SERVER_START_FAILED with the end of the server's log.
 */
export async function startServer(options: StartOptions): Promise<Started | undefined> {
  const { stateDir, reporter, signal } = options;
  const logFile = join(stateDir, "server.log");
  using spinner = spin("Starting the BoxRun server…", reporter);
  const server = await launch(options, logFile);
  const deadline = performance.now() + deadlineMs;
  // It answers on its socket a moment before it has written down where else it listens.
  const isUp = async () =>
    (await answers(options.client)) && (server.hasExited() || liveServer(stateDir)?.socket !== undefined);
  while (!(await isUp())) {
    signal.throwIfAborted();
    if (server.hasExited() && !anotherHolds(stateDir, server.pid) && !(await answers(options.client))) {
      throw startFailure("The BoxRun server did not start", logFile, server.logOffset);
    }
    if (performance.now() > deadline) {
      throw startFailure(`The BoxRun server does not answer after ${deadlineMs / 1000} s`, logFile, server.logOffset);
    }
    await delay(pollMs);
  }
  // What the last server left is taken over for as long as that takes: nothing else can be done with boxes meanwhile.
  spinner.say("The BoxRun server takes over its boxes…");
  while (await recovers(options.client)) {
    signal.throwIfAborted();
    await delay(pollMs);
  }
  const live = liveServer(stateDir);
  if (live?.pid === server.pid) return { pid: server.pid, log: logFile, withoutTcp: live.tcp === null };
  // Another command's was faster. Ours may be so slow that it would find the directory free again, once that one was stopped.
  server.end();
  return undefined;
}

/** A server that this command has started. */
interface Started {
  readonly pid: number;
  readonly log: string;
  /** Its TCP port was taken. */
  readonly withoutTcp: boolean;
}

export function noteStart(started: Started | undefined, reporter: Reporter): void {
  if (started !== undefined) reporter.note(startText(started), { pid: started.pid, log: started.log });
}

function startText({ pid, log, withoutTcp }: Started): string {
  const tcp = withoutTcp ? "; its TCP port is taken, so it listens on its socket alone" : "";
  return `Started the BoxRun server (pid ${pid}, log ${log}${tcp})`;
}

interface LaunchedServer {
  readonly pid: number;
  /** Where in the log this server's part begins, in bytes. */
  readonly logOffset: number;
  hasExited(): boolean;
  end(): void;
}

async function launch(options: StartOptions, logFile: string): Promise<LaunchedServer> {
  const { stateDir, socketPath, env } = options;
  const log = openLog(stateDir, logFile);
  try {
    // Its own session, so that a Ctrl-C here does not reach it; in /, so that it holds on to no other directory.
    const child = spawn(process.execPath, [launcher, "serve", "--log-file", logFile], {
      detached: true,
      cwd: "/",
      stdio: ["ignore", log.fd, log.fd],
      env: {
        ...serverEnvironment(env),
        BOXRUN_STATE_DIR: stateDir,
        BOXRUN_SOCKET: socketPath,
        ...(env.BOXRUN_DB ? { BOXRUN_DB: resolve(env.BOXRUN_DB) } : {}),
        ...(env.BOXRUN_CACHE_DIR ? { BOXRUN_CACHE_DIR: resolve(env.BOXRUN_CACHE_DIR) } : {}),
      },
    });
    await once(child, "spawn");
    child.unref();
    const { pid } = child;
    if (pid === undefined) throw new CliError("SERVER_START_FAILED", `Cannot run ${process.execPath}`);
    return {
      pid,
      logOffset: log.offset,
      hasExited: () => child.exitCode !== null || child.signalCode !== null,
      end: () => child.kill("SIGTERM"),
    };
  } finally {
    closeSync(log.fd);
  }
}

/** The log, one earlier generation kept once it is long. */
function openLog(stateDir: string, logFile: string): { readonly fd: number; readonly offset: number } {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const fault = stateDirFault(statSync(stateDir), process.getuid?.());
    if (fault !== undefined) throw new Error(fault);
    const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
    if (size > maxLogBytes) renameSync(logFile, `${logFile}.1`);
    return { fd: openSync(logFile, "a", 0o600), offset: size > maxLogBytes ? 0 : size };
  } catch (error) {
    throw new CliError(
      "SERVER_START_FAILED",
      `Cannot start the BoxRun server: its state directory ${stateDir} can't be used: ${messageOf(error)}`,
      `Make it writable for you, or choose another one with BOXRUN_STATE_DIR (default: ~/.boxrun).`,
    );
  }
}

async function answers(client: BoxRunClient): Promise<boolean> {
  return client.health({ signal: AbortSignal.timeout(2_000) }).then(
    () => true,
    () => false,
  );
}

async function recovers(client: BoxRunClient): Promise<boolean> {
  return client.health({ signal: AbortSignal.timeout(2_000) }).then(
    ({ recovering }) => recovering === true,
    () => false,
  );
}

/** Ours gave way to the server of another command that was a moment faster: that one will answer. */
function anotherHolds(stateDir: string, ownPid: number): boolean {
  const pid = serverPid(stateDir);
  return pid !== undefined && pid !== ownPid;
}

function startFailure(what: string, logFile: string, logOffset: number): CliError {
  const tail = logTail(logFile, logOffset);
  return new CliError(
    "SERVER_START_FAILED",
    tail === "" ? what : `${what}. The end of its log:\n${tail}`,
    `\`boxrun doctor\` looks for the cause; the whole log is ${logFile}.`,
  );
}

function logTail(logFile: string, offset: number): string {
  try {
    const text = readFileSync(logFile).subarray(offset).subarray(-logTailBytes).toString("utf8");
    const lines = text.trimEnd().split("\n").slice(-logTailLines);
    return lines.map((line) => `  ${printable(line)}`).join("\n");
  } catch {
    return "";
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
