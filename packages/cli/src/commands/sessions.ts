import type { Session as BoxSession } from "@boxrun/contract";
import { type Column, table } from "../output/table.ts";
import { age } from "../output/text.ts";
import { forEachNamed, type Session, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

const columns: readonly Column<BoxSession>[] = [
  { head: "NAME", cell: ({ name }) => name },
  { head: "SHELL", cell: ({ shell }) => shell ?? "default" },
  { head: "ATTACHED", cell: ({ clients }) => String(clients) },
  { head: "SIZE", cell: ({ cols, rows }) => `${cols}x${rows}` },
  { head: "STARTED", cell: ({ created_at }) => age(created_at) },
];

interface Options {
  readonly rm?: string[];
}

export function define(command: Verb): void {
  command
    .argument("<box>", "name or id")
    .option("--rm <name...>", "end these sessions, and everything that was started in them")
    .addHelpText(
      "after",
      `
A session is a shell that runs on when nobody is attached: \`boxrun attach BOX --session NAME\` starts it, and comes back to it.

Examples:
  $ boxrun sessions dev
  $ boxrun sessions dev --json
  $ boxrun sessions dev --rm work
`,
    )
    .action((box: string, options: Options) =>
      withServer(command, `sessions ${box}`, (session) =>
        options.rm === undefined ? list(session, box) : end(session, box, options.rm),
      ),
    );
}

async function list({ client, reporter, signal }: Session, box: string): Promise<void> {
  const sessions = await client.sessions.list(box, { signal });
  await reporter.result(sessions, (all) => table(columns, all));
}

async function end(session: Session, box: string, names: readonly string[]): Promise<void> {
  const remove = async (name: string) => {
    await session.client.sessions.remove(box, name, { signal: session.signal });
    return { session: name, removed: true };
  };
  await forEachNamed(session, `sessions ${box} --rm`, names, remove, ({ session: name }) => `${name}\n`);
}
