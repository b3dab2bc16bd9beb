import { pullImage } from "../../pull-image.ts";
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
      withServer(command, `pull ${image}`, async (session) => {
        const pulled = await pullImage(session, image);
        await session.reporter.result(pulled, ({ reference, digest }) => `${reference} ${digest}\n`);
      }),
    );
}
