import { CliError } from "../failure.ts";
import { orphanListing } from "../listings/orphans.ts";
import { addListOptions, listPrinter } from "../output/format.ts";
import { masked } from "../output/masked.ts";
import { forEachNamed, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly all?: boolean;
  readonly remove?: boolean;
}

export function define(command: Verb): void {
  addListOptions(
    command
      .argument("[orphan...]", "ids, as `boxrun recover` shows them")
      .completes("orphan")
      .option("-a, --all", "all of them that can be recovered; with --remove, all of them")
      .option("--remove", "end them and destroy their disks instead"),
  )
    .addHelpText(
      "after",
      `
Boxes that are on this server's disk, and may run, but not in its database: it was moved aside, or is an older copy. Without ids, lists
them. With ids, takes them in again, running if they run, else to be started. What ran in them goes on, but its output so far can't be read.

Examples:
  $ boxrun recover
  $ boxrun recover box_0pKx6qXh1mTz
  $ boxrun recover --all
  $ boxrun recover --remove box_0pKx6qXh1mTz
`,
    )
    .action((ids: string[], { all, remove }: Options) => {
      const printOrphans = listPrinter(command, orphanListing);
      return withServer(command, "recover", async (session) => {
        const { client, signal } = session;
        if (all && ids.length > 0)
          throw new CliError("USAGE", "--all and ids exclude each other", "Leave one of them out.");
        if (remove && !all && ids.length === 0) {
          throw new CliError("USAGE", "--remove needs ids", "`boxrun recover` shows them; --all is all of them.");
        }
        if (!all && ids.length === 0) return printOrphans(await client.orphans.list({ signal }));
        const wanted = all
          ? (await client.orphans.list({ signal })).filter(({ adoptable }) => remove || adoptable).map(({ id }) => id)
          : ids;
        if (remove) {
          const end = async (id: string) => {
            await client.orphans.remove(id, { signal });
            return { box: id, removed: true };
          };
          return forEachNamed(session, "recover --remove", wanted, end, ({ box }) => `${box}\n`);
        }
        const takeIn = async (id: string) => masked(await client.orphans.adopt(id, { signal }));
        await forEachNamed(
          session,
          "recover",
          wanted,
          takeIn,
          ({ id, name, status }) => `${name ?? id} is ${status}\n`,
        );
      });
    });
}
