import { InvalidArgumentError } from "commander";
import { historyListing } from "../listings/history.ts";
import { addListOptions, listPrinter } from "../output/format.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly limit: number;
}

const mostAtOnce = 1_000;

export function define(command: Verb): void {
  addListOptions(
    command
      .argument("[box]", "name or id, also of a box that is gone; without it, all boxes")
      .option("-n, --limit <number>", "so many entries, the newest", limit, 50),
  )
    .addHelpText(
      "after",
      `
Newest first: what was done to boxes, and by whom. BY is the user at the other end of the connection, or "token"; WITH is the program, as it calls itself.

In commands, what tells by its name that it is a secret is hidden: TOKEN=…, --password …. What does not is shown; a server with
BOXRUN_HISTORY_ARGUMENTS=omit keeps no arguments at all. Entries go after 90 days (BOXRUN_HISTORY_KEEP_DAYS).

Examples:
  $ boxrun history
  $ boxrun history dev -n 10
  $ boxrun history --json | jq '.[] | select(.action == "remove")'
`,
    )
    .action((box: string | undefined, options: Options) => {
      const printEntries = listPrinter(command, historyListing);
      return withServer(command, "history", async ({ client, signal }) => {
        await printEntries(await client.history.list({ box, limit: options.limit, signal }));
      });
    });
}

function limit(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= mostAtOnce) return count;
  throw new InvalidArgumentError(`It is a number from 1 to ${mostAtOnce}.`);
}
