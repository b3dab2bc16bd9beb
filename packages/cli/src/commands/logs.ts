import type { Exec } from "@boxrun/contract";
import type { ExecEvent } from "boxrun-sdk";
import { chosenExec } from "../exec-choice.ts";
import { isExecId, ownerOf } from "../exec-owner.ts";
import { LogPrinter } from "../logs/log-printer.ts";
import { tailOf } from "../logs/tail.ts";
import { MissingOutput } from "../missing-output.ts";
import { wholeNumber } from "../options.ts";
import { type Session, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly timestamps?: boolean;
}

export function define(command: Verb): void {
  command
    .argument("<box>", "name or id; or an exec's id alone")
    .argument("[exec]", "id, as `boxrun ps -a` shows it (default: the box's latest; with -f rather one that runs)")
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
        const alone = id === undefined && (await isExecId(session, box)) ? box : undefined;
        const owner = alone === undefined ? box : await ownerOf(session, alone);
        const exec = await chosenExec(session, owner, id ?? alone, { prefersRunning: follow });
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
          for await (const event of client.execs.events(exec.box_id, exec.id, { after, follow, signal })) {
            await print(event);
            if (event.event === "exit" && event.error !== undefined && !reporter.json)
              await noteFailure(session, exec, event.error);
          }
        }
        if (missing.failure !== undefined) throw missing.failure;
      }),
    );
}

/** What a program could not write itself: that it was not there, say. */
async function noteFailure(
  { client, reporter, signal }: Session,
  { box_id, id }: Exec,
  message: string,
): Promise<void> {
  const { status } = await client.execs.get(box_id, id, { signal });
  if (status === "failed") reporter.note(`${id}: ${message}`, {});
}
