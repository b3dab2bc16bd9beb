import type { ImageDetails } from "@boxrun/contract";
import { imageFields } from "../../listings/images.ts";
import { fieldList, hanging, valuePrinter } from "../../output/format.ts";
import type { Cell } from "../../output/table.ts";
import { age, bytes } from "../../output/text.ts";
import { forEachNamed, withServer } from "../../session.ts";
import type { Verb } from "../../verb.ts";

const detailFields = { ...imageFields, platform: null, config: null, programs: null } as const satisfies Record<
  keyof ImageDetails,
  null
>;

export function define(command: Verb): void {
  command
    .argument("<image...>", "references as `boxrun images` shows them")
    .completes("image")
    .option("--format <format>", "json, yaml, or a template like '{{.config.user}}'")
    .addHelpText(
      "after",
      `
Shows what an image is, what it sets for boxes that are made of it, and of \`base\` the programs that it has.

Examples:
  $ boxrun images show base
  $ boxrun images show --format '{{.digest}}' base
  $ boxrun images show --json base | jq -r '.[].programs[]'
`,
    )
    .action((images: string[]) => {
      const printFormat = valuePrinter<ImageDetails>(command, detailFields);
      return withServer(command, "images show", async (session) => {
        const { client, signal } = session;
        const show = (image: string) => client.images.get(image, { signal });
        await forEachNamed(session, "images show", images, show, description, printFormat);
      });
    });
}

function description({ config, programs, ...image }: ImageDetails): string {
  const fields: [string, Cell | null][] = [
    ["image", image.reference],
    ["digest", image.digest],
    ["size", bytes(image.size_bytes)],
    ["platform", image.platform],
    ["added", image.builtin ? "built in" : `${image.created_at} (${age(image.created_at)})`],
    ["user", config.user],
    ["workdir", config.workdir],
    ["entrypoint", commandText(config.entrypoint)],
    ["cmd", commandText(config.cmd)],
    ...Object.entries(config.env).map(([name, value]): [string, Cell] => ["env", `${name}=${value}`]),
  ];
  const told = fieldList(fields.flatMap(([name, cell]): [string, Cell][] => (cell === null ? [] : [[name, cell]])));
  return programs === undefined ? told : `${told}\n${programs.length} programs:\n  ${hanging(programs.join(" "), 2)}\n`;
}

/** Its words as JSON, so that it shows where one ends. */
function commandText(words: readonly string[] | null): string | null {
  return words === null ? null : JSON.stringify(words);
}
