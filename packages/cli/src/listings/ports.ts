import type { Box, ListeningPort } from "@boxrun/contract";
import type { Listing } from "../output/format.ts";
import { addressText } from "../port-mapping.ts";

/** A port that something listens on, or that the host publishes, or both. */
type PortRow = Omit<ListeningPort, "address"> & {
  /** `null`: nothing listens there. */
  readonly address: string | null;
  /** Where on the server's host: `127.0.0.1:8080`. */
  readonly published: readonly string[];
};

/** By port; what is published leads to the one that is reachable. */
export function portRows(listening: readonly ListeningPort[], published: Box["ports"] = []): PortRow[] {
  const at = (port: number) =>
    published
      .filter(({ guest_port }) => guest_port === port)
      .map(({ host_ip, host_port }) => addressText(host_ip, host_port));
  const rows: PortRow[] = listening.map((row) => ({ ...row, published: row.reachable ? at(row.port) : [] }));
  const reached = new Set(listening.filter(({ reachable }) => reachable).map(({ port }) => port));
  const idle = new Set(published.map(({ guest_port }) => guest_port).filter((port) => !reached.has(port)));
  for (const port of idle) {
    rows.push({ port, address: null, pid: null, process: null, reachable: false, published: at(port) });
  }
  return rows.sort((a, b) => a.port - b.port);
}

const portFields = {
  port: null,
  address: null,
  pid: null,
  process: null,
  reachable: null,
  published: null,
} as const satisfies Record<keyof PortRow, null>;

export const portListing: Listing<PortRow> = {
  fields: portFields,
  id: ({ port }) => String(port),
  columns: [
    { head: "PORT", cell: ({ port }) => String(port), yields: 5 },
    { head: "ADDRESS", cell: ({ address }) => address ?? "nothing listens", yields: 3 },
    { head: "PROCESS", cell: ({ process }) => process ?? "", yields: 4, minWidth: 8 },
    { head: "PID", cell: ({ pid }) => (pid === null ? "" : String(pid)), yields: 1 },
    { head: "PUBLISHED", cell: ({ published }) => published.join(" "), yields: 5 },
    { head: "REACHABLE", cell: ({ reachable }) => (reachable ? "yes" : "no"), yields: 2 },
  ],
};
