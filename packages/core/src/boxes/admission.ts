import type { Engines } from "../engines.ts";
import type { WarmPool } from "../pool/warm-pool.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord } from "../ports/store.ts";
import type { Resources } from "./resources.ts";
import { type BoxDisks, lookForRoom } from "./room-check.ts";

interface Parts {
  readonly engine: Engines;
  readonly resources: Resources;
  readonly pool: WarmPool;
  readonly boxDisks: BoxDisks;
  readonly logger: Logger;
}

/** Lets boxes up that there is room for. */
export class Admission {
  readonly #parts: Parts;
  #isDiskShort = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** RESOURCE_EXCEEDED if the box does not fit, also where those that were prepared give way to it. */
  async reserve(box: BoxRecord): Promise<void> {
    const { resources, pool } = this.#parts;
    const room = await lookForRoom(this.#parts, resources.holders());
    for (;;) {
      try {
        resources.reserve(box.id, box, room);
        break;
      } catch (error) {
        if (!(await pool.makeRoom(box, room))) throw error;
      }
    }
    this.#warnOfDisk(resources.promisedDiskBytes(room.writtenDiskBytes), room.freeDiskBytes);
  }

  /** What boxes that are up may still write, if each fills its disk, in bytes. */
  async promisedDiskBytes(): Promise<number> {
    const { resources, boxDisks } = this.#parts;
    return resources.promisedDiskBytes(await boxDisks.written(resources.holders()));
  }

  /** Once, when boxes may write more than there is room for, and once more only if they could not in between. */
  #warnOfDisk(promised: number, free: number): void {
    const wasShort = this.#isDiskShort;
    this.#isDiskShort = promised > free;
    if (!this.#isDiskShort || wasShort) return;
    this.#parts.logger.warn(
      { promised_bytes: promised, free_bytes: free },
      "boxes that are up may write more to their disks than the host's disk has room for: `boxrun df` shows what takes how much",
    );
  }
}
