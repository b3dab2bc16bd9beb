import type { Box } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import { addEnvironmentOptions, type EnvironmentOptions, environmentInput } from "../environment-options.ts";
import { CliError } from "../failure.ts";
import { absolutePath, addBoxOptions, type BoxOptions, boxInput } from "../options.ts";
import { masked } from "../output/masked.ts";
import { spin } from "../output/spinner.ts";
import { notePorts } from "../port-mapping.ts";
import { provideImage } from "../pull-image.ts";
import { type Session, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options extends BoxOptions, EnvironmentOptions {
  readonly workdir?: string;
}

export function define(command: Verb): void {
  addEnvironmentOptions(
    addBoxOptions(command.argument("<image>", "an image: `base`, a short name like `python`, or a reference")),
    "a variable for every program in the box",
  )
    .option("-w, --workdir <path>", "where programs start (default: the image's, else /root)", absolutePath)
    .option("--rm", "with --ttl: remove the box then, instead of stopping it")
    .addHelpText(
      "after",
      `
Prints the id of the box once it runs. An image that is not here is pulled first.

Examples:
  $ boxrun create base --name dev
  $ boxrun create python -m 2048 --cpu 4 --network
  $ boxrun create base -v ./src:/root/src:ro
  $ boxrun create base --name web -p 8080:80
  $ boxrun create base --ttl 2h --rm --label team=ci
`,
    )
    .action((image: string, options: Options) => create(command, image, options));
}

/** A box that could not be made stays as `error`, with its name, for people to look at. */
async function noteWhatIsLeft({ client, reporter }: Session, error: unknown, name: string | undefined): Promise<void> {
  if (!(error instanceof BoxRunError)) return;
  const { box_id: id } = error.details ?? {};
  if (typeof id !== "string") return;
  const left = await client.boxes.get(id).catch(() => undefined);
  if (left?.status !== "error") return;
  const called = name ?? id;
  reporter.note(
    `Box ${called} is left in the state error: \`boxrun inspect ${called}\` shows it, \`boxrun rm ${called}\` removes it`,
    { box_id: id },
  );
}

async function create(command: Verb, image: string, options: Options): Promise<void> {
  if (options.rm && options.ttl === undefined) {
    throw new CliError(
      "USAGE",
      "--rm without --ttl: nothing says when to remove the box",
      "`boxrun run` removes its box.",
    );
  }
  const input = {
    image,
    ...boxInput(options),
    ...environmentInput(options),
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
      await noteWhatIsLeft(session, error, options.name);
      throw error;
    }
    notePorts(reporter, box, options.publish);
    await reporter.result(masked(box), ({ id }) => `${id}\n`);
  });
}
