import { imageListing } from "../../listings/images.ts";
import { addListOptions, listPrinter } from "../../output/format.ts";
import { withServer } from "../../session.ts";
import type { Verb } from "../../verb.ts";

export function define(command: Verb): void {
  addListOptions(command)
    .addHelpText(
      "after",
      `
Examples:
  $ boxrun images ls
  $ boxrun images ls --format '{{.reference}} {{.size_bytes}}'
  $ boxrun images ls --json | jq -r '.[].reference'
`,
    )
    .action(() => {
      const printImages = listPrinter(command, imageListing);
      return withServer(command, "images ls", async ({ client, signal }) => {
        await printImages(await client.images.list({ signal }));
      });
    });
}
