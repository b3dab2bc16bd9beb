import { localContext, readContexts, writeContexts } from "../../contexts/file.ts";
import { CliError } from "../../failure.ts";
import { reporterOf } from "../../session.ts";
import { resolveTarget } from "../../target.ts";
import type { Verb } from "../../verb.ts";

export function define(command: Verb): void {
  command
    .argument("<context>", "its name; `local` is your own server on this host")
    .addHelpText(
      "after",
      `
Examples:
  $ boxrun context use lab
  $ boxrun context use local
`,
    )
    .action(async (name: string) => {
      const { env } = process;
      const { contexts } = readContexts(env);
      if (name !== localContext && !Object.hasOwn(contexts, name)) {
        throw new CliError("USAGE", `There is no context ${JSON.stringify(name)}`, "`boxrun context ls` lists them.");
      }
      writeContexts(env, { contexts, current: name });
      const reporter = reporterOf(command);
      const { chosenBy, context } = resolveTarget({}, env);
      if (context !== name) {
        reporter.note(`${chosenBy} is set, and goes before it: unset that to talk to ${name}.`, {
          overridden_by: chosenBy,
        });
      }
      await reporter.result({ current: name }, () => `${name}\n`);
    });
}
