import { spin } from "../output/spinner.ts";
import { forEachNamed, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

export function define(command: Verb): void {
  command
    .argument("<box...>", "names or ids")
    .completes("box:stop")
    .addHelpText(
      "after",
      `
Shuts boxes down; their disks are kept for \`boxrun start\`.

Examples:
  $ boxrun stop dev
  $ boxrun stop $(boxrun ls -q -s running)
`,
    )
    .action((boxes: string[]) =>
      withServer(command, "stop", async (session) => {
        const { client, reporter, signal } = session;
        using _ = spin(`Stopping ${boxes.join(", ")}…`, reporter);
        await forEachNamed(
          session,
          "stop",
          boxes,
          (box) => client.boxes.stop(box, { signal }),
          (__, name) => `${name}\n`,
        );
      }),
    );
}
