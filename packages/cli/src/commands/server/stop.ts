import { CommandFailure } from "../../failure.ts";
import { listenForInterrupts } from "../../interrupts.ts";
import { ownServer } from "../../own-server.ts";
import { reporterOf } from "../../session.ts";
import { type StoppedServer, stopServer } from "../../stop-server.ts";
import type { Verb } from "../../verb.ts";

interface Options {
  readonly boxes?: boolean;
}

export function define(command: Verb): void {
  command
    .option("--boxes", "stop the boxes, too")
    .addHelpText(
      "after",
      `
Waits until it has ended. Boxes and the programs in them run on, and the next server takes them over without losing a byte of output.

Examples:
  $ boxrun server stop
  $ boxrun server stop --boxes
`,
    )
    .action((options: Options) => stop(command, options));
}

async function stop(command: Verb, options: Options): Promise<void> {
  const target = ownServer(command, "server stop");
  const reporter = reporterOf(command);
  using interrupts = listenForInterrupts();
  const { signal } = interrupts;
  try {
    const stopped = await stopServer(target, { boxes: options.boxes ? "stop" : "leave", reporter, signal });
    await reporter.result(
      {
        stopped: stopped.pid !== null,
        pid: stopped.pid,
        stopped_boxes: stopped.boxes,
        running_boxes: stopped.runningBoxes,
      },
      () => stoppedText(stopped),
    );
  } catch (error) {
    signal.throwIfAborted();
    throw new CommandFailure("server stop", error);
  }
}

export function stoppedText({ pid, boxes, runningBoxes }: StoppedServer): string {
  const server = pid === null ? "The BoxRun server does not run.\n" : `Stopped the BoxRun server (pid ${pid}).\n`;
  const gone = boxes.length === 0 ? "" : `Stopped ${boxes.join(", ")}.\n`;
  const left =
    runningBoxes === null || runningBoxes === 0
      ? ""
      : `${runningBoxes === 1 ? "1 box runs" : `${runningBoxes} boxes run`} on; \`boxrun server stop --boxes\` stops boxes, too.\n`;
  return `${gone}${server}${left}`;
}
