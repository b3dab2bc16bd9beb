import { spin } from "../output/spinner.ts";
import { forEachNamed, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

export function define(command: Verb): void {
  command
    .argument("<box...>", "names or ids")
    .completes("box:start")
    .addHelpText(
      "after",
      `
Boots stopped boxes, and those whose VM died, on the disks that they have.

Examples:
  $ boxrun start dev
  $ boxrun start dev test
`,
    )
    .action((boxes: string[]) =>
      withServer(command, "start", async (session) => {
        const { client, reporter, signal } = session;
        using _ = spin(`Starting ${boxes.join(", ")}…`, reporter);
        await forEachNamed(
          session,
          "start",
          boxes,
          (box) => client.boxes.start(box, { signal }),
          (__, name) => `${name}\n`,
        );
      }),
    );
}
