import { secondsFromZero } from "../options.ts";
import { bytes } from "../output/text.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly olderThan?: number;
  readonly outputOlderThan?: number;
}

export function define(command: Verb): void {
  command
    .option("--older-than <seconds>", "how long a box must have been stopped (default: 3600)", secondsFromZero)
    .option("--output-older-than <seconds>", "give up the output of programs that ended longer ago", secondsFromZero)
    .addHelpText(
      "after",
      `
Output that is given up shows as missing in \`boxrun logs\`. \`boxrun df\` says what takes how much.

Examples:
  $ boxrun gc
  $ boxrun gc --output-older-than 86400
  $ boxrun gc --older-than 0
`,
    )
    .action(({ olderThan: older_than, outputOlderThan: output_older_than }: Options) =>
      withServer(command, "gc", async ({ client, reporter, signal }) => {
        const input = {
          ...(older_than !== undefined && { older_than }),
          ...(output_older_than !== undefined && { output_older_than }),
        };
        await reporter.result(await client.collect(input, { signal }), ({ removed, output_bytes }) => {
          const output = output_bytes === undefined ? "" : `, gave up ${bytes(output_bytes)} of output`;
          return `Removed ${removed} ${removed === 1 ? "box" : "boxes"}${output}\n`;
        });
      }),
    );
}
