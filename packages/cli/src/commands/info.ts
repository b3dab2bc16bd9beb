import type { EngineInfo, Info, PoolInfo } from "@boxrun/contract";
import { fieldList } from "../output/format.ts";
import { withServer } from "../session.ts";
import type { Verb } from "../verb.ts";

export function define(command: Verb): void {
  command
    .addHelpText(
      "after",
      `
Examples:
  $ boxrun info
  $ boxrun info --json | jq .engine
`,
    )
    .action(() =>
      withServer(command, "info", async ({ client, reporter, signal }) => {
        await reporter.result(await client.info({ signal }), description);
      }),
    );
}

/** An older server does not say. */
function choice({ requested, reason, considered = [] }: EngineInfo): [string, string][] {
  if (requested === undefined || reason === undefined) return [];
  return [
    ["chosen by", `${requested}: ${reason}`],
    ...considered.map(({ name, why }): [string, string] => [`not ${name}`, why]),
  ];
}

function own({ own_memory_mb: own }: EngineInfo): string {
  return own === undefined ? "" : `, and ${own} MB for the VM of each box that runs`;
}

/** Boxes that are kept ready, of one size. */
function pooled({ image, cpu, memory_mb, disk_size_gb, network, wanted, ready, trouble }: PoolInfo): string {
  const size = `${image}, ${cpu} CPUs, ${memory_mb} MB, ${disk_size_gb} GB${network ? ", network" : ""}`;
  return `${ready} of ${wanted} ready: ${size}${trouble === undefined ? "" : `; ${trouble}`}`;
}

function description(info: Info): string {
  const { engine } = info;
  const boxes = Object.entries(info.boxes).flatMap(([status, count]) => (count ? [`${count} ${status}`] : []));
  return fieldList([
    ["version", info.version],
    ["engine", `${engine.name}, ${engine.accelerator}${engine.ready ? "" : ", not ready"}`],
    ["why", engine.why],
    ...choice(engine),
    ...(engine.confinement === undefined ? [] : [["confined", engine.confinement.how] as const]),
    ["abilities", engine.capabilities.join(", ") || "-"],
    ["cpu", `${info.used_cpu} of ${info.max_cpu} used`],
    ["memory", `${info.used_memory_mb} of ${info.max_memory_mb} MB used${own(engine)}`],
    ["boxes", boxes.join(", ") || "none"],
    ...(info.pool ?? []).map((size): [string, string] => ["pool", pooled(size)]),
  ]);
}
