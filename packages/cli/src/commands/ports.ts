import { portListing, portRows } from "../listings/ports.ts";
import { addListOptions, listPrinter } from "../output/format.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

export function define(command: Verb): void {
  addListOptions(command.argument("<box>", "name or id"))
    .addHelpText(
      "after",
      `
Shows the TCP ports on which something in the box listens, which program that is, and where on the server's host \`-p\` has published it. One that listens on another address than
127.0.0.1, ::1 or all of them is not reached by \`boxrun forward\`.

Examples:
  $ boxrun ports dev
  $ boxrun ports dev --json
  $ boxrun forward dev 8080:80
`,
    )
    .action((box: string) => {
      const print = listPrinter(command, portListing);
      return withServer(command, `ports ${box}`, async ({ client, signal }) => {
        const [listening, { ports }] = await Promise.all([
          client.ports.list(box, { signal }),
          client.boxes.get(box, { signal }),
        ]);
        await print(portRows(listening, ports));
      });
    });
}
