import { spin } from "../output/spinner.ts";
import { bytes } from "../output/text.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly replace?: boolean;
}

export function define(command: Verb): void {
  command
    .argument("<box>", "name or id of a stopped box")
    .completes("box:commit")
    .argument("<name>", "what to call the image: my-env, team/tool:1.2")
    .option("--replace", "also if there is an image of this name; boxes that were made of that one keep it")
    .addHelpText(
      "after",
      `
Makes an image of what is on a box's disk, so that a prepared environment is made once. What is mounted in it (volumes, /run, /dev) is
not part of it, nor are secrets that the box was created with.

Examples:
  $ boxrun stop dev
  $ boxrun commit dev my-env
  $ boxrun create my-env -n other
`,
    )
    .action((box: string, name: string, { replace = false }: Options) =>
      withServer(command, `commit ${box}`, async ({ client, reporter, signal }) => {
        using _ = spin(`Making the image ${name} of ${box}…`, reporter);
        const image = await client.boxes.commit(box, name, { replace, signal });
        await reporter.result(image, ({ reference, size_bytes }) => `${reference} ${bytes(size_bytes)}\n`);
      }),
    );
}
