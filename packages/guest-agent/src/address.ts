import { connect } from "node:net";
import type { Duplex } from "node:stream";

/** Where an agent is reached. */
export interface AgentAddress {
  /** For messages: a socket's path, say. */
  readonly name: string;
  /** A new connection. It may still be under way: that it failed comes as the stream's error, or as a rejection. */
  connect(signal: AbortSignal): Duplex | Promise<Duplex>;
}

/** An agent behind a Unix socket of this host. */
export function socketAddress(path: string): AgentAddress {
  return { name: path, connect: () => connect({ path }) };
}
