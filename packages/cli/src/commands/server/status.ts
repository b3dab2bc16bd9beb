import type { Info } from "@boxrun/contract";
import { hasListener, openClient } from "../../connect.ts";
import { failureText } from "../../failure.ts";
import { fieldList } from "../../output/format.ts";
import { age } from "../../output/text.ts";
import { ownServer } from "../../own-server.ts";
import { liveServer, type ServerRecord } from "../../server-pid.ts";
import { reporterOf } from "../../session.ts";
import { addressOf } from "../../target.ts";
import type { Verb } from "../../verb.ts";

/** As systemctl's: a program that is not running, and one whose state is not as it should be. */
const exitStatus = { notRunning: 3, ailing: 4 } as const;
const deadlineMs = 5_000;

export function define(command: Verb): void {
  command
    .addHelpText(
      "after",
      `
Starts nothing. Exit code 0 if it runs, 3 if not, 4 if it runs but does not answer.

Examples:
  $ boxrun server status
  $ boxrun server status --json | jq .pid
`,
    )
    .action(() => status(command));
}

async function status(command: Verb): Promise<void> {
  const target = ownServer(command, "server status");
  const reporter = reporterOf(command);
  const server = liveServer(target.stateDir);
  const isListening = await hasListener(target.socketPath);
  if (server === undefined && !isListening) {
    process.exitCode = exitStatus.notRunning;
    return reporter.result(
      { status: "stopped", socket: target.socketPath, state_dir: target.stateDir },
      () => `The BoxRun server of ${target.stateDir} does not run; the next command starts it.\n`,
    );
  }
  await using client = await openClient(target);
  let info: Info | undefined;
  try {
    info = await client.info({ signal: AbortSignal.timeout(deadlineMs) });
  } catch (error) {
    process.exitCode = exitStatus.ailing;
    if (!reporter.json) process.stderr.write(failureText(error));
  }
  const shown = description(server, info, target.socketPath);
  await reporter.result({ ...shown, state_dir: target.stateDir }, () =>
    fieldList([
      [
        "status",
        {
          text: info === undefined ? "runs, but does not answer" : "running",
          style: info === undefined ? "red" : "green",
        },
      ],
      ["pid", String(shown.pid ?? "unknown")],
      ["version", shown.version ?? "unknown"],
      ["since", shown.since === null ? "unknown" : `${shown.since} (${age(shown.since)})`],
      ["socket", addressOf(target)],
      ["tcp", shown.tcp === null ? "none" : `http://${shown.tcp}`],
      [
        "engine",
        info === undefined
          ? "unknown"
          : `${info.engine.name}, ${info.engine.accelerator}${info.engine.ready ? "" : ", not ready"}`,
      ],
      ["boxes", boxesText(info)],
    ]),
  );
}

function description(server: ServerRecord | undefined, info: Info | undefined, socket: string) {
  return {
    status: info === undefined ? "unresponsive" : "running",
    pid: server?.pid ?? null,
    version: info?.version ?? server?.version ?? null,
    since: server?.started_at ?? null,
    socket,
    tcp: server?.tcp ?? null,
    engine: info?.engine ?? null,
    boxes: info?.boxes ?? null,
  };
}

function boxesText(info: Info | undefined): string {
  if (info === undefined) return "unknown";
  const counts = Object.entries(info.boxes).flatMap(([state, count]) => (count ? [`${count} ${state}`] : []));
  return counts.join(", ") || "none";
}
