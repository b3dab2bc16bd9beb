import { localContext, readContexts, writeContexts } from "../../contexts/file.ts";
import { exitCodes } from "../../exit-codes.ts";
import { CliError } from "../../failure.ts";
import { reporterOf } from "../../session.ts";
import type { Verb } from "../../verb.ts";

export function define(command: Verb): void {
  command
    .argument("<context...>", "their names")
    .addHelpText(
      "after",
      `
Forgets addresses and tokens; the servers themselves are left alone. If the context in use goes, \`local\` is used again.

Examples:
  $ boxrun context rm lab
`,
    )
    .action(async (given: string[]) => {
      const { env } = process;
      const { contexts, current } = readContexts(env);
      if (given.includes(localContext))
        throw new CliError("USAGE", `${localContext} is your own server, and can't be removed`);
      const names = given.filter((name) => Object.hasOwn(contexts, name));
      const missing = given.filter((name) => !Object.hasOwn(contexts, name));
      const left = Object.fromEntries(Object.entries(contexts).filter(([name]) => !names.includes(name)));
      if (names.length > 0)
        writeContexts(env, { contexts: left, current: names.includes(current) ? localContext : current });
      const reporter = reporterOf(command);
      if (names.includes(current)) reporter.note(`Commands talk to ${localContext}, your own server, again.`, {});
      await reporter.result(
        names.map((context) => ({ context, removed: true })),
        () => names.map((name) => `${name}\n`).join(""),
      );
      for (const name of missing) {
        reporter.failure(
          new CliError("USAGE", `There is no context ${JSON.stringify(name)}`, "`boxrun context ls` lists them."),
        );
      }
      if (missing.length > 0) process.exitCode = exitCodes.usage;
    });
}
