import { table } from "../output/table.ts";
import { age } from "../output/text.ts";
import { forEachNamed, type Session, withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

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
  const head = ["NAME", "SHELL", "ATTACHED", "SIZE", "STARTED"];
  await reporter.result(sessions, (all) =>
    table(
      head,
      all.map((one) => [
        one.name,
        one.shell ?? "default",
        String(one.clients),
        `${one.cols}x${one.rows}`,
        age(one.created_at),
      ]),
    ),
  );
}

async function end(session: Session, box: string, names: readonly string[]): Promise<void> {
  const remove = async (name: string) => {
    await session.client.sessions.remove(box, name, { signal: session.signal });
    return { session: name, removed: true };
  };
  await forEachNamed(session, `sessions ${box} --rm`, names, remove, ({ session: name }) => `${name}\n`);
}
