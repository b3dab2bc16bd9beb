import { isIP } from "node:net";
import type { Box } from "@boxrun/contract";
import { InvalidArgumentError } from "commander";
import type { Reporter } from "./reporter.ts";

/** A port of this side and the port of a box that is reached through it. */
export interface PortMapping {
  /** `undefined`: loopback. */
  readonly hostIp: string | undefined;
  /** `undefined`: not said. 0: one that is free. */
  readonly hostPort: number | undefined;
  readonly boxPort: number;
}

const forms = "8080:80, 127.0.0.1:8080:80, [::1]:8080:80";

/** `[[IP:]PORT:]BOX_PORT`; a usage error for anything else. */
export function portMapping(text: string): PortMapping {
  const match = /^(?:(?:(?<ip>[\d.]+|\[[\da-f:.]+\]):)?(?<host>\d{1,5}):)?(?<box>\d{1,5})$/i.exec(text);
  const { ip, host, box } = match?.groups ?? {};
  const hostIp = ip?.replace(/^\[|\]$/g, "");
  const hostPort = host === undefined ? undefined : Number(host);
  const boxPort = Number(box ?? Number.NaN);
  const isPort = (port: number, least: number) => port >= least && port <= 65_535;
  if (!isPort(boxPort, 1) || !isPort(hostPort ?? 0, 0) || (hostIp !== undefined && isIP(hostIp) === 0)) {
    throw new InvalidArgumentError(`It must be PORT:BOX_PORT, with an address in front or not: ${forms}.`);
  }
  return { hostIp, hostPort, boxPort };
}

/** Says where a box's published ports are, if one of them was left to the server. */
export function notePorts(reporter: Reporter, box: Box, mappings: readonly PortMapping[] = []): void {
  if (!mappings.some(({ hostPort = 0 }) => hostPort === 0)) return;
  for (const { guest_port, host_ip, host_port } of box.ports ?? []) {
    reporter.note(`Port ${guest_port} is reached at ${addressText(host_ip, host_port)}`, {
      guest_port,
      host_ip,
      host_port,
    });
  }
}

/** `127.0.0.1:8080`, `[::1]:8080`. */
export function addressText(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
