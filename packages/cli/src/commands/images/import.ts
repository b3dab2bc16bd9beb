import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { BodySource } from "@boxrun/sdk";
import { packEntries } from "../../copy/pack.ts";
import { CliError } from "../../failure.ts";
import { imageListing } from "../../listings/images.ts";
import { listTable } from "../../output/format.ts";
import { spin } from "../../output/spinner.ts";
import { withServer } from "../../session.ts";
import type { Verb } from "../../verb.ts";

interface Options {
  readonly name?: string;
}

export function define(command: Verb): void {
  command
    .argument(
      "<archive>",
      "a tar of an OCI layout or a docker-archive, an OCI layout directory, or - for standard input",
    )
    .option("-n, --name <reference>", "what to call the image (default: what the archive calls it)")
    .addHelpText(
      "after",
      `
Examples:
  $ docker save my-image | boxrun images import -
  $ boxrun images import ./layout --name my-image:1
`,
    )
    .action((archive: string, { name }: Options) =>
      withServer(command, `import ${archive}`, async ({ client, reporter, signal }) => {
        const content = await open(archive);
        using _ = spin(`Importing ${archive}…`, reporter);
        const images = await client.images.import(content, { reference: name, signal });
        await reporter.result(images, (rows) => listTable(imageListing, rows));
      }),
    );
}

async function open(archive: string): Promise<BodySource> {
  if (archive === "-") return process.stdin;
  const found = await stat(archive).catch((error: unknown) => {
    throw new CliError("HOST_FILE", error instanceof Error ? error.message : String(error));
  });
  return found.isDirectory() ? packEntries(archive) : createReadStream(archive);
}
