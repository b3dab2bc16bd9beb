import { isDoneAlready, noteNothing } from "../nothing-to-do.ts";
import { masked } from "../output/masked.ts";
import { spin } from "../output/spinner.ts";
import { forEachNamed, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

export function define(command: Verb): void {
  command
    .argument("[box...]", "names or ids")
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
        if (boxes.length === 0) return noteNothing(reporter, "start");
        using _ = spin(`Starting ${boxes.join(", ")}…`, reporter);
        await forEachNamed(
          session,
          "start",
          boxes,
          async (box) => {
            try {
              return masked(await client.boxes.start(box, { signal }));
            } catch (error) {
              return isDoneAlready(session, error, { box, code: "BOX_ALREADY_RUNNING", status: "running" });
            }
          },
          (__, name) => `${name}\n`,
        );
      }),
    );
}
