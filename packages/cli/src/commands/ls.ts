import type { Box, BoxStatus } from "@boxrun/contract";
import { boxStatuses } from "@boxrun/contract/plain";
import { Option } from "commander";
import { type Cell, table } from "../output/table.ts";
import { age, statusStyle } from "../output/text.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

interface Options {
  readonly status?: BoxStatus | "all";
}

export function define(command: Verb): void {
  command
    .addOption(new Option("-s, --status <status>", "only boxes in this state").choices([...boxStatuses, "all"]))
    .addHelpText(
      "after",
      `
Newest first.

Examples:
  $ boxrun ls
  $ boxrun ls -s running
  $ boxrun ls --json | jq -r '.[].id'
`,
    )
    .action(({ status }: Options) =>
      withServer(command, "ls", async ({ client, reporter, signal }) => {
        await reporter.result(await client.boxes.list({ status, signal }), boxTable);
      }),
    );
}

function boxTable(boxes: readonly Box[]): string {
  return table(["ID", "NAME", "STATUS", "IMAGE", "CPU", "MEMORY", "DISK", "CREATED"], boxes.map(row));
}

function row(box: Box): Cell[] {
  return [
    box.id,
    box.name ?? "-",
    { text: box.status, style: statusStyle(box.status) },
    box.image,
    String(box.cpu),
    `${box.memory_mb} MB`,
    `${box.disk_size_gb} GB`,
    age(box.created_at),
  ];
}
