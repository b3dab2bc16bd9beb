import { resolveImageAlias } from "@boxrun/contract/plain";
import type { PullEvent } from "@boxrun/sdk";
import { spin } from "../../output/spinner.ts";
import { bytes, printable } from "../../output/text.ts";
import { withServer } from "../../session.ts";
import type { Verb } from "../../verb.ts";

export function define(command: Verb): void {
  command
    .argument("<image>", "a reference, or a short name like `python`")
    .addHelpText(
      "after",
      `
Fetches the image also if it is here already: its name may mean a newer one now.

Examples:
  $ boxrun images pull python
  $ boxrun images pull ghcr.example/team/tool:1.2
`,
    )
    .action((image: string) =>
      withServer(command, `pull ${image}`, async ({ client, reporter, signal }) => {
        using spinner = spin(`Pulling ${resolveImageAlias(image)}…`, reporter);
        for await (const event of client.images.pull(image, { signal })) {
          if (event.event === "progress") spinner.say(progressText(event));
          else await reporter.result(event.image, ({ reference, digest }) => `${reference} ${digest}\n`);
        }
      }),
    );
}

function progressText({ message, done_bytes, total_bytes }: Extract<PullEvent, { event: "progress" }>): string {
  const total = total_bytes === undefined ? "" : ` of ${bytes(total_bytes)}`;
  return `${printable(message)}${done_bytes === undefined ? "" : ` (${bytes(done_bytes)}${total})`}`;
}
