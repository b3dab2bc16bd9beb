import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { BoxRunClient } from "boxrun-sdk";
import { connect, hasListener, openClient } from "./connect.ts";
import { CliError } from "./failure.ts";
import { spin } from "./output/spinner.ts";
import type { Reporter } from "./reporter.ts";
import { isAlive, liveServer, type ServerRecord } from "./server-pid.ts";
import { addressOf, type OwnTarget } from "./target.ts";

interface StopOptions {
  /** What becomes of the boxes: by themselves they run on. */
  readonly boxes: "leave" | "stop" | "remove";
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

export interface StoppedServer {
  /** `null` if none ran. */
  readonly pid: number | null;
  /** Names of the boxes that were stopped or removed. */
  readonly boxes: readonly string[];
  /** How many boxes run on; `null` if the server did not say. */
  readonly runningBoxes: number | null;
}

/** A server ends within 10 s of SIGTERM, whatever hangs, and within a minute if it was started with --stop-boxes. */
const endDeadlineMs = 70_000;
/** Nobody tells when a process that is not our child ends: it is looked for so often. */
const lookMs = 50;
const askDeadlineMs = 3_000;

/**
 * Stops this user's server and waits for its end. If boxes are to be stopped or removed and no server runs, one is started for that:
 * their VMs outlive servers. SERVER_STOP_FAILED if it can't be told which process it is, or if it does not end.
 */
export async function stopServer(target: OwnTarget, options: StopOptions): Promise<StoppedServer> {
  const { signal, reporter } = options;
  const boxes = options.boxes === "leave" || !mayHaveVms(target) ? [] : await endBoxes(target, options);
  const server = liveServer(target.stateDir);
  const isListening = await hasListener(target.socketPath);
  if (server === undefined || (server.start_ticks === null && !isListening)) {
    if (!isListening) return { pid: null, boxes, runningBoxes: null };
    throw new CliError(
      "SERVER_STOP_FAILED",
      `A server answers at ${addressOf(target)}, but ${join(target.stateDir, "server.json")} does not say which process it is`,
      `\`fuser ${target.socketPath}\` tells; SIGTERM stops it.`,
    );
  }
  using _ = spin("Stopping the BoxRun server…", reporter);
  const runningBoxes = isListening ? await countRunning(target, signal) : null;
  await end(server, signal);
  return { pid: server.pid, boxes, runningBoxes };
}

/** Each engine has a directory of its own, with something in it for each of its boxes. */
const engineDirs = ["vm", "boxlite"];

/** Whether there are boxes here; a server that runs knows for sure. */
function mayHaveVms({ stateDir }: OwnTarget): boolean {
  return liveServer(stateDir) !== undefined || engineDirs.some((dir) => isFilled(join(stateDir, dir)));
}

function isFilled(dir: string): boolean {
  try {
    return readdirSync(dir).length > 0;
  } catch {
    return false;
  }
}

async function endBoxes(target: OwnTarget, { boxes: how, reporter, signal }: StopOptions): Promise<string[]> {
  const connection = await connect(target, { reporter, signal, env: process.env });
  await using client = connection.client;
  const all = await client.boxes.list({ signal });
  const chosen = all.filter(({ status }) => how === "remove" || status === "running");
  using _ = spin(how === "remove" ? "Removing the boxes…" : "Stopping the boxes…", reporter);
  await Promise.all(chosen.map(({ id }) => endBox(client, id, how, signal)));
  return chosen.map(({ name, id }) => name ?? id);
}

async function endBox(client: BoxRunClient, id: string, how: StopOptions["boxes"], signal: AbortSignal): Promise<void> {
  if (how === "remove") await client.boxes.remove(id, { force: true, signal });
  else await client.boxes.stop(id, { signal });
}

async function countRunning(target: OwnTarget, signal: AbortSignal): Promise<number | null> {
  await using client = await openClient(target);
  try {
    const { boxes } = await client.info({ signal: AbortSignal.any([signal, AbortSignal.timeout(askDeadlineMs)]) });
    return boxes.running ?? 0;
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

async function end(server: ServerRecord, signal: AbortSignal): Promise<void> {
  const { pid } = server;
  try {
    process.kill(pid, "SIGTERM");
  } catch (error) {
    if (!isAlive(server)) return;
    throw new CliError(
      "SERVER_STOP_FAILED",
      `Cannot stop the BoxRun server (pid ${pid}): ${error instanceof Error ? error.message : String(error)}`,
      "The user that started it can.",
    );
  }
  const deadline = performance.now() + endDeadlineMs;
  while (isAlive(server)) {
    signal.throwIfAborted();
    if (performance.now() > deadline) {
      throw new CliError(
        "SERVER_STOP_FAILED",
        `The BoxRun server (pid ${pid}) has not ended after ${endDeadlineMs / 1000} s`,
        `\`boxrun server logs\` may say why. \`kill -KILL ${pid}\` ends it; boxes run on, and the next server takes them over.`,
      );
    }
    await delay(lookMs);
  }
}
