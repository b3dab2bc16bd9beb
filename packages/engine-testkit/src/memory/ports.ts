import { type Duplex, duplexPair } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import type { ListeningPort } from "@boxrun/core";

interface Listener {
  readonly process: string;
  readonly serve: (connection: Duplex) => void;
}

/** The TCP ports of a memory box, and the connections to them. */
export class MemoryPorts {
  readonly #listeners = new Map<number, Listener>();
  readonly #connections = new Set<Duplex>();

  listen(port: number, process: string, killed: AbortSignal, serve: Listener["serve"]): void {
    if (this.#listeners.has(port)) throw new Error(`bind: port ${port} is in use`);
    this.#listeners.set(port, { process, serve });
    killed.addEventListener("abort", () => this.#listeners.delete(port));
  }

  connect(port: number, signal: AbortSignal): Duplex {
    const listener = this.#listeners.get(port);
    if (listener === undefined) {
      throw new BoxRunError("PORT_REFUSED", `nothing listens on port ${port} of 127.0.0.1 or ::1`);
    }
    const [ours, theirs] = duplexPair();
    const end = () => ours.destroy(signal.reason);
    signal.addEventListener("abort", end, { once: true });
    this.#connections.add(ours);
    ours.once("close", () => {
      signal.removeEventListener("abort", end);
      this.#connections.delete(ours);
      theirs.destroy();
    });
    theirs.once("close", () => {
      if (theirs.errored !== null || !theirs.writableFinished) ours.destroy(reset());
    });
    listener.serve(theirs);
    return ours;
  }

  list(): ListeningPort[] {
    return [...this.#listeners]
      .map(([port, { process }]) => ({ port, address: "127.0.0.1", pid: 2, process }))
      .sort((a, b) => a.port - b.port);
  }

  close(reason: string): void {
    this.#listeners.clear();
    for (const connection of this.#connections) connection.destroy(new BoxRunError("RUNTIME_ERROR", reason));
  }
}

function reset(): BoxRunError {
  return new BoxRunError("BOX_UNREACHABLE", "the connection was reset");
}
