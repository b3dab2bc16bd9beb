import { execListing } from "../listings/execs.ts";
import { addListOptions, listPrinter } from "../output/format.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly all?: boolean;
}

export function define(command: Verb): void {
  addListOptions(command.argument("<box>", "name or id").option("-a, --all", "also execs that have ended"))
    .addHelpText(
      "after",
      `
Lists a box's execs, newest first: those that run, with -a all of them. Ended ones are listed until their box is removed.

Examples:
  $ boxrun ps dev
  $ boxrun ps -a dev
  $ boxrun ps -a dev --format '{{.id}} {{.exit_code}} {{.cmd | json}}'
  $ boxrun kill dev $(boxrun ps -q dev)
`,
    )
    .action((box: string, { all }: Options) => {
      const printExecs = listPrinter(command, execListing);
      return withServer(command, `ps ${box}`, async ({ client, signal }) => {
        const execs = await client.execs.list(box, { signal });
        await printExecs(all ? execs : execs.filter(({ status }) => status === "running"));
      });
    });
}
