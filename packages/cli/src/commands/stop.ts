import type { StoppedBox } from "@boxrun/contract";
import { isDoneAlready, noteNothing } from "../nothing-to-do.ts";
import { masked } from "../output/masked.ts";
import { spin } from "../output/spinner.ts";
import type { Reporter } from "../reporter.ts";
import { forEachNamed, withServer } from "../session.ts";
import { secondsFromZero } from "../units.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly timeout?: number;
}

export function define(command: Verb): void {
  command
    .argument("[box...]", "names or ids")
    .completes("box:stop")
    .option(
      "-t, --timeout <time>",
      "what programs get between SIGTERM and SIGKILL: 60s, 2m (default: 10s)",
      secondsFromZero,
    )
    .addHelpText(
      "after",
      `
Shuts boxes down; their disks are kept for \`boxrun start\`. What runs in them is told to end (SIGTERM), and killed if it has not
after the timeout: then it is told which programs that were.

Examples:
  $ boxrun stop dev
  $ boxrun stop --timeout 1m database
  $ boxrun stop $(boxrun ls -q -s running)
`,
    )
    .action((boxes: string[], { timeout }: Options) =>
      withServer(command, "stop", async (session) => {
        const { client, reporter, signal } = session;
        if (boxes.length === 0) return noteNothing(reporter, "stop");
        using _ = spin(`Stopping ${boxes.join(", ")}…`, reporter);
        const ends = new Map<string, StoppedBox>();
        const timeoutMs = timeout === undefined ? undefined : timeout * 1000;
        const stop = async (box: string) => {
          try {
            const stopped = await client.boxes.stop(box, { signal, timeoutMs });
            ends.set(box, stopped);
            return masked(stopped);
          } catch (error) {
            return isDoneAlready(session, error, { box, code: "BOX_NOT_RUNNING", status: "stopped" });
          }
        };
        try {
          await forEachNamed(session, "stop", boxes, stop, (__, name) => `${name}\n`);
        } finally {
          for (const box of boxes) tellHow(reporter, box, ends.get(box));
        }
      }),
    );
}

/** What a polite stop did not do; with `--json` the answer has it. */
function tellHow(reporter: Reporter, box: string, end: StoppedBox | undefined): void {
  if (reporter.json || end === undefined) return;
  const { killed = [], forced } = end;
  if (killed.length > 0) {
    const names = killed.map(({ pid, name }) => `${name} (${pid})`).join(", ");
    reporter.note(`${box}: killed what did not end by itself: ${names}`, {});
  }
  if (forced) reporter.note(`${box}: its agent did not answer, so that its VM was ended by force`, {});
}
