import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { hostFailure } from "../../copy/host-failure.ts";
import { hostTreeBytes } from "../../copy/host-tree.ts";
import { CopyMeter } from "../../copy/meter.ts";
import { packEntries } from "../../copy/pack.ts";
import { imageListing } from "../../listings/images.ts";
import { listTable } from "../../output/format.ts";
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
        using meter = new CopyMeter("Importing", reporter);
        const content = meter.count(await open(archive, meter));
        const images = await client.images.import(content, { reference: name, signal }).finally(() => {
          // Whoever writes it may have more to say, and we would wait for that.
          if (archive === "-") process.stdin.destroy();
        });
        meter.finish("imported");
        await reporter.result(images, (rows) => listTable(imageListing, rows));
      }),
    );
}

async function open(archive: string, meter: CopyMeter): Promise<AsyncIterable<Uint8Array>> {
  if (archive === "-") return process.stdin;
  const found = await stat(archive).catch((error: unknown) => {
    throw hostFailure(error);
  });
  meter.expect(() => (found.isDirectory() ? hostTreeBytes(archive) : Promise.resolve(found.size)));
  return found.isDirectory() ? packEntries(archive) : createReadStream(archive);
}
