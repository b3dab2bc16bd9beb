import type { StoppedBox } from "@boxrun/contract";
import { wholeNumber } from "../options.ts";
import { spin } from "../output/spinner.ts";
import type { Reporter } from "../reporter.ts";
import { forEachNamed, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly timeout?: number;
}

export function define(command: Verb): void {
  command
    .argument("<box...>", "names or ids")
    .completes("box:stop")
    .option("-t, --timeout <seconds>", "what programs get between SIGTERM and SIGKILL (default: 10)", wholeNumber)
    .addHelpText(
      "after",
      `
Shuts boxes down; their disks are kept for \`boxrun start\`. What runs in them is told to end (SIGTERM), and killed if it has not
after the timeout: then it is told which programs that were.

Examples:
  $ boxrun stop dev
  $ boxrun stop --timeout 60 database
  $ boxrun stop $(boxrun ls -q -s running)
`,
    )
    .action((boxes: string[], { timeout }: Options) =>
      withServer(command, "stop", async (session) => {
        const { client, reporter, signal } = session;
        using _ = spin(`Stopping ${boxes.join(", ")}…`, reporter);
        const ends = new Map<string, StoppedBox>();
        const stop = async (box: string) => {
          const stopped = await client.boxes.stop(box, {
            signal,
            timeoutMs: timeout === undefined ? undefined : timeout * 1000,
          });
          ends.set(box, stopped);
          return stopped;
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
