import type { Box, BoxStatus } from "@boxrun/contract";
import { boxStatuses } from "@boxrun/contract/plain";
import { Option } from "commander";
import { CliError } from "../failure.ts";
import { boxFilter, type Filter, matchesAll } from "../listings/box-filter.ts";
import { boxListing } from "../listings/boxes.ts";
import { addListOptions, listPrinter } from "../output/format.ts";
import { addShowSecrets, maskOf } from "../output/masked.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly status?: BoxStatus | "all";
  readonly filter?: Filter[];
  readonly watch?: boolean;
  readonly format?: string;
  readonly quiet?: boolean;
  readonly showSecrets?: boolean;
}

/** As many as the server gives at once. */
const pageSize = 1_000;

export function define(command: Verb): void {
  addShowSecrets(
    addListOptions(
      command
        .addOption(new Option("-s, --status <status>", "only boxes in this state").choices([...boxStatuses, "all"]))
        .option("-f, --filter <key=value>", "only boxes that match (repeatable; * and ? stand for anything)", boxFilter)
        .option("-w, --watch", "go on showing them as they change")
        .addOption(new Option("-a, --all", "what `ls` does").hideHelp()),
    ),
  )
    .addHelpText(
      "after",
      `
Newest first. A filter's key is id, name, status, image, digest, engine, network (on, off), volume, env, error or label; several of one
key, or of one label, are alternatives. With --watch and --json, or on a pipe, each change is a line.

A template names fields as --json shows them, with pipes if wanted: json, upper, lower, age. 'table …' makes columns of it.

Examples:
  $ boxrun ls
  $ boxrun ls --watch
  $ boxrun ls -f status=running -f 'name=test-*'
  $ boxrun ls -f label=team=ci
  $ boxrun ls --format '{{.name}} {{.created_at | age}}'
  $ boxrun ls --format 'table {{.id}}\\t{{.image}}'
  $ boxrun stop $(boxrun ls -q -s running)
  $ boxrun ls --json | jq -r '.[].id'
`,
    )
    .action((options: Options) => {
      const { status, filter = [], watch = false, showSecrets } = options;
      if (watch && (options.quiet || (options.format !== undefined && options.format !== "json"))) {
        throw new CliError(
          "USAGE",
          "--watch shows a table or, with --json, changes as JSON: leave out --format and -q",
        );
      }
      const mask = maskOf(options);
      const printBoxes = listPrinter(command, boxListing);
      return withServer(command, "ls", async (session) => {
        const { client, signal } = session;
        const matches = (box: Box) =>
          matchesAll(filter, box) && (status === undefined || status === "all" || box.status === status);
        if (watch) {
          const { watchBoxes } = await import("../watch/watch-boxes.ts");
          return watchBoxes(session, { list: () => client.boxes.list({ signal }), matches, mask });
        }
        const pages = await Array.fromAsync(client.boxes.pages({ status, limit: pageSize, signal, showSecrets }));
        await printBoxes(pages.flat().filter(matches).map(mask));
      });
    });
}
