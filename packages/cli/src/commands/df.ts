import type { Usage } from "@boxrun/contract";
import { fieldList } from "../output/format.ts";
import { bytes } from "../output/text.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

export function define(command: Verb): void {
  command
    .addHelpText(
      "after",
      `
Shows what takes how much of the disk of the server's host. \`boxrun gc\` frees what is not needed any more.

Examples:
  $ boxrun df
  $ boxrun df --json | jq '.boxes[0]'
`,
    )
    .action(() =>
      withServer(command, "df", async ({ client, reporter, signal }) => {
        await reporter.result(await client.usage({ signal }), description);
      }),
    );
}

/** How many boxes are named; --json has them all. */
const largest = 5;

function promised({ promised_bytes: promised, free_bytes: free }: Usage): [string, string][] {
  if (promised === undefined || promised === 0) return [];
  return [["boxes may write", `${bytes(promised)} more${promised > free ? ": more than is free" : ""}`]];
}

function description(usage: Usage): string {
  const boxes = usage.boxes
    .slice(0, largest)
    .map((box): [string, string] => [`  ${box.name ?? box.id}`, bytes(box.disk_bytes)]);
  return fieldList([
    ["boxes", bytes(usage.boxes_bytes)],
    ...boxes,
    ["images", bytes(usage.images_bytes)],
    ["prepared images", bytes(usage.prepared_images_bytes)],
    ["database", `${bytes(usage.database_bytes)}, with ${bytes(usage.output_bytes)} of output`],
    ["logs", bytes(usage.logs_bytes)],
    ["free", bytes(usage.free_bytes)],
    ...promised(usage),
  ]);
}
