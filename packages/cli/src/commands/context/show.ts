import { contextsFile } from "../../contexts/file.ts";
import { fieldList } from "../../output/format.ts";
import { reporterOf, targetOf } from "../../session.ts";
import { addressOf, resolveTarget } from "../../target.ts";
import type { Verb } from "../../verb.ts";

export function define(command: Verb): void {
  command
    .argument("[context]", "its name (default: the one that commands talk to)")
    .addHelpText(
      "after",
      `
Asks nothing of the server. Its token is not shown.

Examples:
  $ boxrun context show
  $ boxrun context show lab
`,
    )
    .action(async (name: string | undefined) => {
      const { env } = process;
      const target = name === undefined ? targetOf(command) : resolveTarget({ context: name }, env);
      const shown = {
        name: target.context ?? null,
        host: addressOf(target),
        token: target.token !== undefined,
        chosen_by: name === undefined ? target.chosenBy : null,
        file: contextsFile(env),
      };
      await reporterOf(command).result(shown, () =>
        fieldList([
          ["context", shown.name ?? "none"],
          ["host", shown.host],
          ["token", shown.token ? "there is one" : "none"],
          ...(shown.chosen_by === null ? [] : [["chosen by", shown.chosen_by] as const]),
          ["kept in", shown.file],
        ]),
      );
    });
}
