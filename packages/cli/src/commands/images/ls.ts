import type { Image } from "@boxrun/contract";
import { table } from "../../output/table.ts";
import { age, bytes } from "../../output/text.ts";
import { withServer } from "../../session.ts";
import type { Verb } from "../../verb.ts";

export function define(command: Verb): void {
  command
    .addHelpText("after", "\nExamples:\n  $ boxrun images ls\n  $ boxrun images ls --json | jq -r '.[].reference'\n")
    .action(() =>
      withServer(command, "images ls", async ({ client, reporter, signal }) => {
        await reporter.result(await client.images.list({ signal }), imageTable);
      }),
    );
}

/** Of a digest: enough to tell images apart. */
const digestCharacters = "sha256:".length + 12;

export function imageTable(images: readonly Image[]): string {
  return table(
    ["IMAGE", "DIGEST", "SIZE", "ADDED"],
    images.map((image) => [
      image.reference,
      image.digest.slice(0, digestCharacters),
      bytes(image.size_bytes),
      image.builtin ? "built in" : age(image.created_at),
    ]),
  );
}
