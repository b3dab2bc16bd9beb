import { secondsFromZero } from "../options.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly olderThan?: number;
}

export function define(command: Verb): void {
  command
    .option("--older-than <seconds>", "how long a box must have been stopped (default: 3600)", secondsFromZero)
    .addHelpText(
      "after",
      `
Examples:
  $ boxrun gc
  $ boxrun gc --older-than 0
`,
    )
    .action(({ olderThan }: Options) =>
      withServer(command, "gc", async ({ client, reporter, signal }) => {
        const removed = await client.gc({ olderThanSeconds: olderThan, signal });
        await reporter.result({ removed }, () => `Removed ${removed} ${removed === 1 ? "box" : "boxes"}\n`);
      }),
    );
}
