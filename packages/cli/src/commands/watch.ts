import type { FileChange } from "boxrun-sdk";
import { print, printJson } from "../output/streams.ts";
import { printable } from "../output/text.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

export function define(command: Verb): void {
  command
    .argument("<box>", "name or id")
    .argument("<path>", "a file or a directory of the box, absolute")
    .option("-r, --recursive", "everything below the directory, also what is made meanwhile")
    .addHelpText(
      "after",
      `
Prints what happens to files of a box, a line for each change, until what is watched is gone, the box stops, or Ctrl-C: created, changed,
removed, renamed, or overflow: then something is missing, because more happened than could be told in time. A directory's path ends in a slash.
Changes that the host makes in a volume are not seen.

Examples:
  $ boxrun watch dev /root
  $ boxrun watch -r dev /srv/app
  $ boxrun watch -r --json dev /srv/app | jq -r 'select(.event == "created").path'
`,
    )
    .action((box: string, path: string, { recursive = false }: { readonly recursive?: boolean }) =>
      withServer(command, `watch ${path} in ${box}`, async ({ client, reporter, signal }) => {
        for await (const change of client.files.watch(box, path, { recursive, signal })) {
          await (reporter.json ? printJson(change) : print(lineOf(change)));
        }
      }),
    );
}

function lineOf(change: FileChange): string {
  if (change.event === "overflow") return `overflow  ${printable(change.reason)}\n`;
  const shown = (path: string) => printable(change.is_dir && !path.endsWith("/") ? `${path}/` : path);
  const path = change.event === "renamed" ? `${shown(change.from)} -> ${shown(change.path)}` : shown(change.path);
  return `${change.event.padEnd(8)}  ${path}\n`;
}
