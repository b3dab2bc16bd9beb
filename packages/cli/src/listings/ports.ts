import type { ListeningPort } from "@boxrun/contract";
import type { Listing } from "../output/format.ts";

const portFields = {
  port: null,
  address: null,
  pid: null,
  process: null,
  reachable: null,
} as const satisfies Record<keyof ListeningPort, null>;

export const portListing: Listing<ListeningPort> = {
  fields: portFields,
  id: ({ port }) => String(port),
  columns: [
    { head: "PORT", cell: ({ port }) => String(port), yields: 5 },
    { head: "ADDRESS", cell: ({ address }) => address, yields: 3 },
    { head: "PROCESS", cell: ({ process }) => process ?? "", yields: 4, minWidth: 8 },
    { head: "PID", cell: ({ pid }) => (pid === null ? "" : String(pid)), yields: 1 },
    { head: "REACHABLE", cell: ({ reachable }) => (reachable ? "yes" : "no"), yields: 2 },
  ],
};
