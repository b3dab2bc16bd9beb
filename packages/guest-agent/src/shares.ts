import { BoxRunError } from "@boxrun/contract";

/**
 * What a request is to the line: `exec` stays open as long as a program runs, `resumed` is one that runs already, `stdin` as long as it does not read, `transfer` as long as files
 * take; `watch` as long as somebody watches files; `port` as long as a connection to a port is open; `control` is everything that is answered soon, and what ends all the others.
 */
export type RequestKind = "control" | "exec" | "resumed" | "stdin" | "transfer" | "watch" | "port";

/** An agent that says nothing else takes this many streams; one that says more is not believed beyond the second number. */
const usualStreams = 512;
const maxStreams = 1024;

/** What is kept back of an agent's streams. Programs have all the rest. */
const reserved = { control: 32, stdin: 32, transfer: 48, watch: 16, port: 128 } as const;

const full: Record<Exclude<RequestKind, "control">, (count: number) => string> = {
  exec: (count) => `${count} programs run in this box already, and it takes no more at once: end some of them first`,
  resumed: (count) => `${count} programs of this box are being read already, and no more are at once`,
  stdin: (count) =>
    `${count} writes to standard inputs of this box's programs are waiting for them to read, and no more are taken`,
  transfer: (count) => `${count} transfers of files are under way in this box, and no more are taken at once`,
  watch: (count) => `files of this box are watched ${count} times, and no more are at once`,
  port: (count) => `${count} connections to ports of this box are open, and it takes no more at once`,
};

/** Shares out a connection's streams, so that programs and transfers, however many, leave some to control them by. */
export class Shares {
  readonly #taken = { control: 0, exec: 0, resumed: 0, stdin: 0, transfer: 0, watch: 0, port: 0 };

  /** Takes a stream, or throws RESOURCE_EXCEEDED. `agentTakes`: how many the agent does at once. Returns what gives it back. */
  take(kind: RequestKind, agentTakes: number | undefined): () => void {
    if (kind !== "control") {
      const limit = limitOf(kind, Math.min(agentTakes ?? usualStreams, maxStreams));
      const programs = this.#taken.exec + this.#taken.resumed;
      const count = kind === "exec" || kind === "resumed" ? programs : this.#taken[kind];
      if (count >= limit) throw new BoxRunError("RESOURCE_EXCEEDED", full[kind](count));
    }
    this.#taken[kind] += 1;
    let isTaken = true;
    return () => {
      if (isTaken) this.#taken[kind] -= 1;
      isTaken = false;
    };
  }
}

function limitOf(kind: Exclude<RequestKind, "control">, streams: number): number {
  if (kind === "stdin" || kind === "transfer" || kind === "watch" || kind === "port") return reserved[kind];
  // An older server may have started more than this one would.
  if (kind === "resumed") return Math.max(1, streams - reserved.control);
  return Math.max(1, streams - reserved.control - reserved.stdin - reserved.transfer - reserved.watch - reserved.port);
}
