import { releaseMemory } from "@boxrun/core";
import { WireViolation } from "../violation.ts";
import { type BulkLease, slotBytes } from "./area.ts";
import { encodeEnd, encodeInline, encodeInSlot, inlineBytes } from "./pieces.ts";

/** One body on its way into a box through the disk for transfers. */
export class BulkSending {
  readonly #lease: BulkLease;
  readonly #free: number[];
  /** With the agent, the oldest first: that is how it frees them. */
  readonly #taken: number[] = [];
  #wake: (() => void) | undefined;

  constructor(lease: BulkLease) {
    this.#lease = lease;
    this.#free = [...lease.slots];
  }

  /** What goes over the line instead of `source`. `waiting` is held while the agent has all slots; with `signal` it ends. */
  async *body(
    source: AsyncIterable<Uint8Array>,
    { signal, waiting }: { readonly signal: AbortSignal; readonly waiting: () => Disposable },
  ): AsyncGenerator<Uint8Array, void, void> {
    const wake = () => this.#wake?.();
    signal.addEventListener("abort", wake);
    try {
      for await (const { pieces, bytes } of gathered(source)) {
        const slot = bytes > inlineBytes ? await this.#next(signal, waiting) : undefined;
        if (slot !== undefined && (await this.#fill(slot, pieces))) {
          for (const piece of pieces) releaseMemory(piece);
          this.#taken.push(slot);
          yield encodeInSlot(slot, bytes);
        } else {
          if (slot !== undefined) this.#free.push(slot);
          yield* encodeInline(pieces);
        }
      }
      yield encodeEnd();
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  /** The agent says that it has read the oldest of the slots that it has. */
  freed(): void {
    const slot = this.#taken.shift();
    if (slot === undefined) throw new WireViolation("the agent frees a slot that it does not have");
    this.#free.push(slot);
    this.#wake?.();
  }

  /** `false` where the file does not take it, since the host's disk is full: then it goes over the line. */
  async #fill(slot: number, pieces: readonly Uint8Array[]): Promise<boolean> {
    try {
      await this.#lease.write(slot, pieces);
      return true;
    } catch {
      return false;
    }
  }

  async #next(signal: AbortSignal, waiting: () => Disposable): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      const slot = this.#free.shift();
      if (slot !== undefined) return slot;
      using _ = waiting();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}

/** As much as fits into a slot, or what there is at the end. */
async function* gathered(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ readonly pieces: readonly Uint8Array[]; readonly bytes: number }, void, void> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    for (let rest = chunk; rest.length > 0; ) {
      const piece = rest.subarray(0, slotBytes - bytes);
      rest = rest.subarray(piece.length);
      pieces.push(piece);
      bytes += piece.length;
      if (bytes < slotBytes) continue;
      yield { pieces, bytes };
      pieces = [];
      bytes = 0;
    }
  }
  if (bytes > 0) yield { pieces, bytes };
}
