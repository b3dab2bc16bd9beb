import type { Box, Environment } from "@boxrun/contract";
import { absolutePath, addBoxOptions, type BoxOptions, boxInput, environmentEntry } from "../options.ts";
import { spin } from "../output/spinner.ts";
import { provideImage } from "../pull-image.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options extends BoxOptions {
  readonly env?: Environment;
  readonly workdir?: string;
}

export function define(command: Verb): void {
  addBoxOptions(command.argument("<image>", "an image: `base`, a short name like `python`, or a reference"))
    .option("-e, --env <name=value>", "a variable for every program in the box (repeatable)", environmentEntry)
    .option("-w, --workdir <path>", "where programs start (default: the image's, else /root)", absolutePath)
    .addHelpText(
      "after",
      `
Prints the id of the box once it runs. An image that is not here is pulled first.

Examples:
  $ boxrun create base --name dev
  $ boxrun create python -m 2048 --cpu 4 --network
  $ boxrun create base -v ./src:/root/src:ro
`,
    )
    .action((image: string, options: Options) => create(command, image, options));
}

async function create(command: Verb, image: string, options: Options): Promise<void> {
  const input = {
    image,
    ...boxInput(options),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.workdir === undefined ? {} : { workdir: options.workdir }),
  };
  await withServer(command, "create", async (session) => {
    const { client, reporter, signal } = session;
    await provideImage(session, image, options.pull);
    using _ = spin(`Creating a box of ${image}…`, reporter);
    let box: Box;
    try {
      box = await client.boxes.create(input, { signal });
    } catch (error) {
      if (signal.aborted) reporter.note("The server goes on creating the box; `boxrun ls` shows it.", {});
      throw error;
    }
    await reporter.result(box, ({ id }) => `${id}\n`);
  });
}
