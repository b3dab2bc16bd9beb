import { BoxRunError } from "@boxrun/contract";

export interface ResourceLimits {
  readonly maxCpu: number;
  readonly maxMemoryMb: number;
}

interface Holding {
  readonly cpu: number;
  readonly memoryMb: number;
}

/** CPU and memory of the boxes that are up or coming up. Synchronous, so that two creates can't both pass a limit. */
export class Resources {
  readonly limits: ResourceLimits;
  readonly #holdings = new Map<string, Holding>();

  constructor(limits: ResourceLimits) {
    this.limits = limits;
  }

  /** RESOURCE_EXCEEDED if the box does not fit. A box that holds its share already keeps it. */
  reserve(boxId: string, wanted: Holding): void {
    if (this.#holdings.has(boxId)) return;
    const used = this.used();
    const { maxCpu, maxMemoryMb } = this.limits;
    if (used.cpu + wanted.cpu > maxCpu) {
      throw new BoxRunError(
        "RESOURCE_EXCEEDED",
        `The box wants ${wanted.cpu} CPUs; ${maxCpu - used.cpu} of the server's ${maxCpu} are free`,
        { details: { resource: "cpu", wanted: wanted.cpu, used: used.cpu, limit: maxCpu } },
      );
    }
    if (used.memoryMb + wanted.memoryMb > maxMemoryMb) {
      throw new BoxRunError(
        "RESOURCE_EXCEEDED",
        `The box wants ${wanted.memoryMb} MB of memory; ${maxMemoryMb - used.memoryMb} of the server's ${maxMemoryMb} MB are free`,
        { details: { resource: "memory_mb", wanted: wanted.memoryMb, used: used.memoryMb, limit: maxMemoryMb } },
      );
    }
    this.#holdings.set(boxId, wanted);
  }

  /** For a box that runs already: it has what it has, even if the limits have shrunk since. */
  hold(boxId: string, held: Holding): void {
    this.#holdings.set(boxId, held);
  }

  release(boxId: string): void {
    this.#holdings.delete(boxId);
  }

  used(): Holding {
    let cpu = 0;
    let memoryMb = 0;
    for (const holding of this.#holdings.values()) {
      cpu += holding.cpu;
      memoryMb += holding.memoryMb;
    }
    return { cpu, memoryMb };
  }
}
