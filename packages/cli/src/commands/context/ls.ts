import { localContext, readContexts } from "../../contexts/file.ts";
import { CliError } from "../../failure.ts";
import { listTable } from "../../output/format.ts";
import { reporterOf } from "../../session.ts";
import { addressOf, resolveTarget, type Target } from "../../target.ts";
import type { Verb } from "../../verb.ts";

export function define(command: Verb): void {
  command
    .addHelpText(
      "after",
      `
\`*\` marks the one in use. Where something on the command's line or in the environment goes before it, a line behind the list says so.

Examples:
  $ boxrun context ls
  $ boxrun context ls --json | jq -r '.[] | select(.current) | .name'
`,
    )
    .action(() => list(command));
}

async function list(command: Verb): Promise<void> {
  const { env } = process;
  const { contexts, current } = readContexts(env);
  const own = resolveTarget({ context: localContext }, env);
  const rows = [
    { name: localContext, host: addressOf(own), token: false },
    ...Object.entries(contexts).map(([name, { host, token }]) => ({ name, host, token: token !== undefined })),
  ].map((row) => ({ ...row, current: row.name === current }));
  const reporter = reporterOf(command);
  await reporter.result(rows, () =>
    listTable(
      {
        columns: [
          { head: "", cell: (row) => (row.current ? "*" : "") },
          { head: "NAME", cell: ({ name }) => name },
          { head: "HOST", cell: ({ host }) => host, yields: 1, minWidth: 20 },
          { head: "TOKEN", cell: ({ token }) => (token ? "kept" : "-"), yields: 2 },
        ],
      },
      rows,
    ),
  );
  const target = effectiveTarget(env);
  if (target !== undefined && target.context !== current) {
    const where = target.context === undefined ? addressOf(target) : `${target.context} (${addressOf(target)})`;
    reporter.note(`${target.chosenBy} is set: commands talk to ${where}.`, {
      overridden_by: target.chosenBy,
      host: addressOf(target),
    });
  }
}

/** `undefined` if the environment names no server that there is: the list is what helps then. */
function effectiveTarget(env: NodeJS.ProcessEnv): Target | undefined {
  try {
    return resolveTarget({}, env);
  } catch (error) {
    if (error instanceof CliError) return undefined;
    throw error;
  }
}
