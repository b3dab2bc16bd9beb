import type { Exec } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import type { BoxRunClient } from "boxrun-sdk";
import { execListing, execListingOfAll } from "../listings/execs.ts";
import { addListOptions, listPrinter } from "../output/format.ts";
import { addShowSecrets, maskOf } from "../output/masked.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly all?: boolean;
  readonly showSecrets?: boolean;
}

export function define(command: Verb): void {
  addShowSecrets(
    addListOptions(
      command
        .argument("[box]", "name or id (default: all boxes that run)")
        .option("-a, --all", "also execs that have ended"),
    ),
  )
    .addHelpText(
      "after",
      `
Lists a box's execs, newest first: those that run, with -a all of them. Ended ones are listed until their box is removed.

Examples:
  $ boxrun ps
  $ boxrun ps dev
  $ boxrun ps -a dev
  $ boxrun ps -a dev --format '{{.id}} {{.exit_code}} {{.cmd | json}}'
  $ boxrun kill dev $(boxrun ps -q dev)
`,
    )
    .action((box: string | undefined, options: Options) => {
      const { all } = options;
      if (box === undefined) return psOfAll(command, options);
      const printExecs = listPrinter(command, execListing);
      return withServer(command, `ps ${box}`, async ({ client, signal }) => {
        const execs = await client.execs.list(box, { signal });
        await printExecs((all ? execs : execs.filter(({ status }) => status === "running")).map(maskOf(options)));
      });
    });
}

function psOfAll(command: Verb, options: Options): Promise<void> {
  const { all } = options;
  // What is listed is known before the boxes are: a format that there is not is told first.
  const names = new Map<string, string>();
  const printExecs = listPrinter(command, execListingOfAll(names));
  return withServer(command, "ps", async ({ client, signal }) => {
    const boxes = await client.boxes.list({ signal, ...(all ? {} : { status: "running" }) });
    for (const { id, name } of boxes) names.set(id, name ?? id);
    const execs = await Promise.all(boxes.map(({ id }) => execsOf(client, id, signal)));
    await printExecs(
      execs
        .flat()
        .filter(({ status }) => all || status === "running")
        .map(maskOf(options)),
    );
  });
}

/** None for a box that was removed in the meantime. */
async function execsOf(client: BoxRunClient, box: string, signal: AbortSignal): Promise<Exec[]> {
  try {
    return await client.execs.list(box, { signal });
  } catch (error) {
    if (error instanceof BoxRunError && error.code === "BOX_NOT_FOUND") return [];
    throw error;
  }
}
