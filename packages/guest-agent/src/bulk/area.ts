import { type FileHandle, open } from "node:fs/promises";

/** How much a slot holds, and how many there are in each direction (docs/guest-protocol.md). */
export const slotBytes = 1024 * 1024;
const slotsEachWay = 8;
/** What the disk holds. */
export const bulkDiskBytes = 2 * slotsEachWay * slotBytes;

/** One that is being filled, one that is on its way, one that is being emptied. */
const slotsPerTransfer = 3;
/** With less there is always one side that waits for the other. */
const leastSlots = 2;

export type Direction = "in" | "out";

/**
 * The disk for transfers of one VM: a file of the host's that the guest has as a disk. Whatever is read of it the guest may have written, and may be
 * writing at that moment. The host writes to other slots than the agent does, so that nothing that comes late is taken for what is there.
 */
export class BulkArea {
  readonly #path: string;
  readonly #free: Record<Direction, readonly number[]> = {
    in: Array.from({ length: slotsEachWay }, (_, index) => index),
    out: Array.from({ length: slotsEachWay }, (_, index) => slotsEachWay + index),
  };

  constructor(path: string) {
    this.#path = path;
  }

  /** How many slots no transfer has. */
  free(direction: Direction): number {
    return this.#free[direction].length;
  }

  /** Slots for one transfer, into the box or out of it; `undefined` if others have them: then it goes over the line. */
  lend(direction: Direction): BulkLease | undefined {
    const free = this.#free[direction];
    if (free.length < leastSlots) return undefined;
    const slots = free.slice(0, slotsPerTransfer);
    this.#free[direction] = free.slice(slots.length);
    return new BulkLease(this.#path, slots, () => {
      this.#free[direction] = [...this.#free[direction], ...slots];
    });
  }
}

/** What one transfer has of the disk. */
export class BulkLease implements AsyncDisposable {
  readonly slots: readonly number[];
  readonly #path: string;
  readonly #giveBack: () => void;
  /** Opened by the first that needs it: most files are so small that none does. */
  #file: Promise<FileHandle> | undefined;
  /** What is under way: until it is over, the slots are nobody else's. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, slots: readonly number[], giveBack: () => void) {
    this.#path = path;
    this.slots = slots;
    this.#giveBack = giveBack;
  }

  /** Fills a slot with pieces that fit. Rejects with what the file system says. */
  async write(slot: number, pieces: readonly Uint8Array[]): Promise<void> {
    await this.#use(async (file) => {
      const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
      const { bytesWritten } = await file.writev(pieces, slot * slotBytes);
      // Some of it was written when the disk was full.
      if (bytesWritten < bytes) throw new Error(`${bytesWritten} of ${bytes} bytes were written`);
    });
  }

  async read(slot: number, length: number): Promise<Buffer> {
    return await this.#use(async (file) => {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafeSlow(length), 0, length, slot * slotBytes);
      return buffer.subarray(0, bytesRead);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
    const file = await this.#file?.catch(() => undefined);
    await file?.close();
    this.#giveBack();
  }

  #use<T>(work: (file: FileHandle) => Promise<T>): Promise<T> {
    this.#file ??= open(this.#path, "r+");
    const done = this.#file.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
