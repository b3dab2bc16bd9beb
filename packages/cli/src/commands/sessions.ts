import { sessionListing } from "../listings/sessions.ts";
import { addListOptions, listPrinter } from "../output/format.ts";
import { forEachNamed, type Session, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly rm?: string[];
}

export function define(command: Verb): void {
  addListOptions(
    command
      .argument("<box>", "name or id")
      .option("--rm <name...>", "end these sessions, and everything that was started in them"),
  )
    .addHelpText(
      "after",
      `
A session is a shell that runs on when nobody is attached: \`boxrun attach BOX --session NAME\` starts it, and comes back to it.

Examples:
  $ boxrun sessions dev
  $ boxrun sessions dev --json
  $ boxrun sessions dev --rm work
  $ boxrun sessions dev --rm $(boxrun sessions -q dev)
`,
    )
    .action((box: string, { rm: names }: Options) => {
      const printSessions = listPrinter(command, sessionListing);
      return withServer(command, `sessions ${box}`, async (session) => {
        if (names !== undefined) return end(session, box, names);
        await printSessions(await session.client.sessions.list(box, { signal: session.signal }));
      });
    });
}

async function end(session: Session, box: string, names: readonly string[]): Promise<void> {
  const remove = async (name: string) => {
    await session.client.sessions.remove(box, name, { signal: session.signal });
    return { session: name, removed: true };
  };
  await forEachNamed(session, `sessions ${box} --rm`, names, remove, ({ session: name }) => `${name}\n`);
}
