import type { Box } from "@boxrun/contract";
import type { Listing } from "../output/format.ts";
import type { Cell } from "../output/table.ts";
import { age, statusStyle } from "../output/text.ts";

const boxFields = {
  id: null,
  name: null,
  status: null,
  image: null,
  cpu: null,
  memory_mb: null,
  disk_size_gb: null,
  network: null,
  workdir: null,
  env: null,
  secret_env: null,
  ports: null,
  labels: null,
  expires_at: null,
  on_expiry: null,
  volumes: null,
  boxlite_id: null,
  error_code: null,
  error_message: null,
  created_at: null,
  started_at: null,
  stopped_at: null,
  engine: null,
  image_digest: null,
  unreachable: null,
  impaired: null,
} as const satisfies Record<keyof Box, null>;

/** A box that runs and does not answer is no box to work with, and is not stopped either. One without its network may be. */
export function statusCell({ status, unreachable, impaired }: Box): Exclude<Cell, string> {
  if (unreachable !== undefined) return { text: `${status} (unreachable)`, style: "red" };
  if (impaired !== undefined) return { text: `${status} (impaired)`, style: "yellow" };
  return { text: status, style: statusStyle(status) };
}

export const boxListing: Listing<Box> = {
  fields: boxFields,
  id: ({ id }) => id,
  columns: [
    { head: "ID", cell: ({ id }) => id },
    { head: "NAME", cell: ({ name }) => name ?? "-", yields: 6, minWidth: 8 },
    { head: "STATUS", cell: statusCell, yields: 7 },
    { head: "IMAGE", cell: ({ image }) => image, yields: 1, minWidth: 12 },
    { head: "CPU", cell: ({ cpu }) => String(cpu), yields: 3 },
    { head: "MEMORY", cell: ({ memory_mb }) => `${memory_mb} MB`, yields: 4 },
    { head: "DISK", cell: ({ disk_size_gb }) => `${disk_size_gb} GB`, yields: 2 },
    { head: "CREATED", cell: ({ created_at }) => age(created_at), yields: 5 },
  ],
};
