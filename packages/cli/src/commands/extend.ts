import { InvalidArgumentError } from "commander";
import { masked } from "../output/masked.ts";
import { withServer } from "../session.ts";
import { wholeSeconds } from "../units.ts";
import type { Verb } from "../verb.ts";

export function define(command: Verb): void {
  command
    .argument("<box>", "name or id")
    .argument("<time>", "from now on: 2h, 90m; `never` for no end", timeOrNever)
    .option("--rm", "remove the box then")
    .option("--stop", "stop the box then")
    .addHelpText(
      "after",
      `
Sets when a box expires, whether or not it had a lifetime before. Then it is stopped, or removed if that is what it was created
with (\`boxrun create --ttl 2h --rm\`), or what --rm says here.

Examples:
  $ boxrun extend dev 2h
  $ boxrun extend dev never
`,
    )
    .action((box: string, time: number | null, options: { readonly rm?: boolean; readonly stop?: boolean }) =>
      withServer(command, `extend ${box}`, async ({ client, reporter, signal }) => {
        const onExpiry = options.rm ? "remove" : options.stop ? "stop" : undefined;
        const extended = await client.boxes.extend(box, time, { onExpiry, signal });
        await reporter.result(masked(extended), ({ expires_at }) => `${expires_at ?? "never"}\n`);
      }),
    );
}

function timeOrNever(text: string): number | null {
  if (text === "never") return null;
  try {
    return wholeSeconds(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InvalidArgumentError(`${error.message.replace(/\.$/, "")}, or never.`);
  }
}
