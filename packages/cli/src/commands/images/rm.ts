import { forEachNamed, withServer } from "../../session.ts";
import type { Verb } from "../../verb.ts";

export function define(command: Verb): void {
  command
    .argument("<image...>", "references as `boxrun images` shows them")
    .completes("image")
    .addHelpText("after", "\nExamples:\n  $ boxrun images rm python:3.12-slim\n")
    .action((images: string[]) =>
      withServer(command, "images rm", async (session) => {
        const { client, signal } = session;
        const remove = async (image: string) => {
          await client.images.remove(image, { signal });
          return { image, removed: true };
        };
        await forEachNamed(session, "images rm", images, remove, ({ image }) => `${image}\n`);
      }),
    );
}
