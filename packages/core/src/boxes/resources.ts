import { BoxRunError } from "@boxrun/contract";

export interface ResourceLimits {
  readonly maxCpu: number;
  readonly maxMemoryMb: number;
  /** How many times what is free on the disk boxes that are up may still write, all together; without it, whatever they like. */
  readonly diskOvercommit?: number;
}

/** What a box was given. */
export interface Holding {
  readonly cpu: number;
  readonly memoryMb: number;
  readonly diskSizeGb: number;
}

/** What the host has and its engine takes, looked up shortly before. */
export interface HostRoom {
  /** What a box's processes take of the host's memory, beside the guest's own. */
  readonly ownMemoryMb: number;
  readonly freeDiskBytes: number;
  /** What the disks of the boxes that are up have taken of theirs. */
  readonly writtenDiskBytes: number;
}

const endlessRoom: HostRoom = { ownMemoryMb: 0, freeDiskBytes: Number.POSITIVE_INFINITY, writtenDiskBytes: 0 };
const gb = 1024 ** 3;

/** CPU, memory and disk of the boxes that are up or coming up. Synchronous, so that two creates can't both pass a limit. */
export class Resources {
  readonly limits: ResourceLimits;
  readonly #holdings = new Map<string, Holding>();
  #releaseListener: (() => void) | undefined;

  constructor(limits: ResourceLimits) {
    this.limits = limits;
  }

  /** RESOURCE_EXCEEDED if the box does not fit. A box that holds its share already keeps it. */
  reserve(boxId: string, wanted: Holding, room: HostRoom = endlessRoom): void {
    if (this.#holdings.has(boxId)) return;
    this.check(wanted, room);
    this.#holdings.set(boxId, wanted);
  }

  /** RESOURCE_EXCEEDED if so much does not fit, now or once `leaving` have gone. */
  check(wanted: Holding, room: HostRoom = endlessRoom, leaving: readonly string[] = []): void {
    const holdings = new Map(this.#holdings);
    for (const boxId of leaving) holdings.delete(boxId);
    const used = sumOf(holdings.values());
    const { maxCpu } = this.limits;
    if (used.cpu + wanted.cpu > maxCpu) {
      throw new BoxRunError(
        "RESOURCE_EXCEEDED",
        `The box wants ${wanted.cpu} CPUs; ${maxCpu - used.cpu} of the server's ${maxCpu} are free`,
        { details: { resource: "cpu", wanted: wanted.cpu, used: used.cpu, limit: maxCpu } },
      );
    }
    this.#checkMemory(wanted.memoryMb, used.memoryMb, holdings.size * room.ownMemoryMb, room.ownMemoryMb);
    this.#checkDisk(wanted.diskSizeGb, used.diskSizeGb, room);
  }

  /** For a box that runs already: it has what it has, even if the limits have shrunk since. */
  hold(boxId: string, held: Holding): void {
    this.#holdings.set(boxId, held);
  }

  release(boxId: string): void {
    if (this.#holdings.delete(boxId)) this.#releaseListener?.();
  }

  /** Tells whenever something was given back. */
  onRelease(listener: () => void): void {
    this.#releaseListener = listener;
  }

  /** Who holds something. */
  holders(): readonly string[] {
    return [...this.#holdings.keys()];
  }

  used(): { readonly cpu: number; readonly memoryMb: number } {
    const { cpu, memoryMb } = sumOf(this.#holdings.values());
    return { cpu, memoryMb };
  }

  /** What boxes that are up may still write, if each fills its disk. */
  promisedDiskBytes(writtenDiskBytes: number): number {
    return promised(sumOf(this.#holdings.values()).diskSizeGb, writtenDiskBytes);
  }

  #checkMemory(wantedMb: number, usedMb: number, usedOwnMb: number, ownMb: number): void {
    const { maxMemoryMb } = this.limits;
    if (usedMb + usedOwnMb + wantedMb + ownMb <= maxMemoryMb) return;
    const free = Math.max(0, maxMemoryMb - usedMb - usedOwnMb);
    const own = ownMb === 0 ? "" : `, and ${ownMb} MB for its VM's own process`;
    throw new BoxRunError(
      "RESOURCE_EXCEEDED",
      `The box wants ${wantedMb} MB of memory${own}; ${free} of the server's ${maxMemoryMb} MB are free`,
      {
        details: {
          ...{ resource: "memory_mb", wanted: wantedMb, used: usedMb, limit: maxMemoryMb },
          ...(ownMb === 0 ? {} : { own: ownMb, used_own: usedOwnMb }),
        },
      },
    );
  }

  #checkDisk(wantedGb: number, usedGb: number, { freeDiskBytes, writtenDiskBytes }: HostRoom): void {
    const { diskOvercommit } = this.limits;
    if (diskOvercommit === undefined) return;
    const promisedBytes = promised(usedGb, writtenDiskBytes);
    const limit = freeDiskBytes * diskOvercommit;
    if (promisedBytes + wantedGb * gb <= limit) return;
    throw new BoxRunError(
      "RESOURCE_EXCEEDED",
      `The box wants a disk of ${wantedGb} GB; boxes that are up may still write ${inGb(promisedBytes)} GB, and with ${inGb(freeDiskBytes)} GB free on the server's disk ` +
        `all together may have ${inGb(limit)} GB (${diskOvercommit} times that). A smaller disk (disk_size_gb), fewer boxes that are up, or room on the disk ` +
        "(`boxrun df`, `boxrun gc`) let it in; so does the server's setting BOXRUN_DISK_OVERCOMMIT.",
      {
        details: {
          resource: "disk",
          wanted_bytes: wantedGb * gb,
          promised_bytes: promisedBytes,
          free_bytes: freeDiskBytes,
          overcommit: diskOvercommit,
        },
      },
    );
  }
}

function sumOf(holdings: Iterable<Holding>): Holding {
  let [cpu, memoryMb, diskSizeGb] = [0, 0, 0];
  for (const holding of holdings) {
    cpu += holding.cpu;
    memoryMb += holding.memoryMb;
    diskSizeGb += holding.diskSizeGb;
  }
  return { cpu, memoryMb, diskSizeGb };
}

function promised(diskSizeGb: number, writtenDiskBytes: number): number {
  return Math.max(0, diskSizeGb * gb - writtenDiskBytes);
}

function inGb(bytes: number): string {
  return (bytes / gb).toFixed(1);
}
