import { forEachNamed, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly force?: boolean;
}

export function define(command: Verb): void {
  command
    .argument("<box...>", "names or ids")
    .option("-f, --force", "also boxes that run or are being created")
    .addHelpText(
      "after",
      `
Removes boxes, their disks and the output of their execs.

Examples:
  $ boxrun rm dev
  $ boxrun rm -f dev test
`,
    )
    .action((boxes: string[], { force }: Options) =>
      withServer(command, "rm", async (session) => {
        const { client, signal } = session;
        const remove = async (box: string) => {
          await client.boxes.remove(box, { force, signal });
          return { box, removed: true };
        };
        await forEachNamed(session, "rm", boxes, remove, ({ box }) => `${box}\n`);
      }),
    );
}
