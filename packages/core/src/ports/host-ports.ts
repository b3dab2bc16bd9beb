import type { Duplex } from "node:stream";
import { BoxRunError } from "@boxrun/contract";

export interface HostAddress {
  readonly ip: string;
  /** 0: one that is free. */
  readonly port: number;
}

/** The host-ports port: TCP ports of the host that lead somewhere. */
export interface HostPorts {
  /** PORT_IN_USE if another program has it; VALIDATION_ERROR for an address that the host does not have, or a port that needs more rights. */
  listen(address: HostAddress, onConnection: (connection: HostConnection) => void): Promise<HostPort>;
}

/** Destroying it ends it as if all had been said. */
export interface HostConnection extends Duplex {
  /** Ends it so that the other side sees that it broke off. */
  resetAndDestroy(): unknown;
}

export interface HostPort {
  readonly port: number;
  /** Nobody is listened to any more, and its connections are cut. */
  close(): void;
}

/** Of a core without a network in front of it. */
export const noHostPorts: HostPorts = {
  listen: () => Promise.reject(new BoxRunError("NOT_SUPPORTED", "This server publishes no ports of boxes")),
};
