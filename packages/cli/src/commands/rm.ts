import { BoxRunError } from "@boxrun/contract/plain";
import { Option } from "commander";
import { CliError } from "../failure.ts";
import { noteNothing } from "../nothing-to-do.ts";
import { forEachNamed, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly force?: boolean;
}

export function define(command: Verb): void {
  command
    .argument("[box...]", "names or ids")
    .option("-f, --force", "also boxes that run or are being created; one that is not there is no failure")
    .addOption(new Option("-r", "what `rm -rf` means is -f").hideHelp())
    .addHelpText(
      "after",
      `
Removes boxes, their disks and the output of their execs.

Examples:
  $ boxrun rm dev
  $ boxrun rm -f dev test
`,
    )
    .action((boxes: string[], { force }: Options) => {
      if (boxes.length === 0 && !force) {
        throw new CliError("USAGE", "missing required argument 'box'", "Name the boxes to remove.");
      }
      return withServer(command, "rm", async (session) => {
        const { client, signal } = session;
        if (boxes.length === 0) return noteNothing(session.reporter, "remove");
        const remove = async (box: string) => {
          try {
            await client.boxes.remove(box, { force, signal });
          } catch (error) {
            if (!force || !(error instanceof BoxRunError) || error.code !== "BOX_NOT_FOUND") throw error;
            session.reporter.note(`There was no box ${box}`, { box });
            return { box, removed: false };
          }
          return { box, removed: true };
        };
        await forEachNamed(session, "rm", boxes, remove, ({ box, removed }) => (removed ? `${box}\n` : ""));
      });
    });
}
