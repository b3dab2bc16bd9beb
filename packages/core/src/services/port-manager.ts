import type { Duplex } from "node:stream";
import type { ListeningPort } from "@boxrun/contract";
import { findBox, requireAllowed } from "../boxes/box-lookup.ts";
import type { Reach } from "../boxes/reach.ts";
import type { Engine, TransferOptions } from "../ports/engine.ts";
import type { Store } from "../ports/store.ts";

interface Parts {
  readonly store: Store;
  readonly engine: Engine;
  readonly reach: Reach;
}

/** The services of running boxes: what listens in them, and connections to it. */
export class PortManager {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async connect(idOrName: string, port: number, options: TransferOptions): Promise<Duplex> {
    return await this.#parts.engine.connect(await this.#running(idOrName), port, options);
  }

  async list(idOrName: string): Promise<ListeningPort[]> {
    const ports = await this.#parts.engine.listPorts(await this.#running(idOrName));
    return ports.map((port) => ({ ...port, reachable: isLoopback(port.address) }));
  }

  async #running(idOrName: string): Promise<string> {
    const box = findBox(this.#parts.store, idOrName);
    requireAllowed(box, "exec");
    await this.#parts.reach.answer(box);
    return box.id;
  }
}

/** Where the agent connects to, or every address. */
function isLoopback(address: string): boolean {
  return ["127.0.0.1", "0.0.0.0", "::1", "::"].includes(address);
}
