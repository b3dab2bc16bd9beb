import type { BoxStats } from "@boxrun/contract";
import type { Listing } from "../output/format.ts";
import type { Cell } from "../output/table.ts";
import { bytes } from "../output/text.ts";

/** What a box uses, with what it is called. */
export type StatsRow = BoxStats & { readonly name: string | null };

const statsFields = {
  box_id: null,
  name: null,
  at: null,
  guest: null,
  guest_error: null,
  cpu_percent: null,
  cpus: null,
  memory_bytes: null,
  memory_limit_bytes: null,
  disk_bytes: null,
  disk_size_bytes: null,
  network_received_bytes: null,
  network_sent_bytes: null,
  processes: null,
  host_cpu_percent: null,
  host_memory_bytes: null,
  host_proportional_memory_bytes: null,
} as const satisfies Record<keyof StatsRow, null>;

export const statsListing: Listing<StatsRow> = {
  fields: statsFields,
  id: ({ box_id }) => box_id,
  columns: [
    { head: "BOX", cell: ({ box_id, name }) => name ?? box_id },
    { head: "CPU", cell: ({ cpu_percent, cpus }) => `${percent(cpu_percent)} of ${cpus}` },
    { head: "MEMORY", cell: (row) => share(row.memory_bytes, row.memory_limit_bytes) },
    { head: "DISK", cell: (row) => share(row.disk_bytes, row.disk_size_bytes), yields: 4 },
    { head: "NETWORK IN / OUT", cell: network, yields: 3 },
    { head: "PROCESSES", cell: ({ processes }) => String(processes ?? "-"), yields: 2 },
    { head: "HOST CPU", cell: ({ host_cpu_percent }) => percent(host_cpu_percent), yields: 1 },
    {
      head: "HOST MEMORY",
      cell: (row) => bytes(row.host_proportional_memory_bytes ?? row.host_memory_bytes),
      yields: 0,
    },
    { head: "", cell: remark },
  ],
};

function percent(value: number | null): string {
  return value === null ? "-" : `${value.toFixed(1)} %`;
}

function share(used: number | null, size: number): string {
  return `${used === null ? "-" : bytes(used)} / ${bytes(size)}`;
}

function network({ network_received_bytes, network_sent_bytes }: StatsRow): string {
  if (network_received_bytes === null || network_sent_bytes === null) return "-";
  return `${bytes(network_received_bytes)} / ${bytes(network_sent_bytes)}`;
}

/** Why half of it is missing. */
function remark({ guest, guest_error }: StatsRow): Cell {
  if (guest === "unreachable") return { text: `does not answer: ${guest_error ?? "no reason given"}`, style: "yellow" };
  if (guest === "unsupported") return { text: "started by an older BoxRun", style: "dim" };
  return "";
}
