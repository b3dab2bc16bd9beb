import type { ExecEvent } from "@boxrun/sdk";
import { chosenExec } from "../exec-choice.ts";
import { LogPrinter } from "../logs/log-printer.ts";
import { tailOf } from "../logs/tail.ts";
import { MissingOutput } from "../missing-output.ts";
import { wholeNumber } from "../options.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly timestamps?: boolean;
}

export function define(command: Verb): void {
  command
    .argument("<box>", "name or id")
    .argument("[exec]", "id, as `boxrun ps -a` shows it (default: the box's latest)")
    .option("-f, --follow", "go on with what comes, until the program ends")
    .option("-n, --tail <count>", "only the last lines, so many of them", wholeNumber)
    .option("-t, --timestamps", "put the time at which it came before each line")
    .addHelpText(
      "after",
      `
Prints what a program has written, whether it runs or has ended: its standard output to ours, its standard error to ours, as it
was written. With --json each piece is a line of JSON, and --tail counts those. Ctrl-C ends the logs, not the program. What is missing
of a long output is told where it was, and the exit code is 125.

Examples:
  $ boxrun logs dev
  $ boxrun logs -f --tail 20 dev
  $ boxrun logs -t dev exec_0pKx6qXh1mTz 2>errors.txt
  $ boxrun logs --json dev | jq -r 'select(.stream == "stderr").data'
`,
    )
    .action((box: string, id: string | undefined, { follow = false, tail, timestamps = false }: Options) =>
      withServer(command, `logs of ${id ?? box}`, async (session) => {
        const { client, reporter, signal } = session;
        const exec = await chosenExec(session, box, id);
        const printer = new LogPrinter({ timestamps, json: reporter.json });
        const missing = new MissingOutput();
        const print = (event: ExecEvent) => {
          missing.see(event);
          return printer.print(event);
        };
        let after = 0;
        let goesOn = true;
        if (tail !== undefined) {
          const past = client.execs.events(exec.box_id, exec.id, { follow: false, signal });
          const { pieces, lastSeq, ended } = await tailOf(past, tail, reporter.json ? "events" : "lines");
          for (const piece of pieces) await print(piece);
          goesOn = follow && !ended;
          after = lastSeq;
        }
        if (goesOn) {
          for await (const event of client.execs.events(exec.box_id, exec.id, { after, follow, signal }))
            await print(event);
        }
        if (missing.failure !== undefined) throw missing.failure;
      }),
    );
}
