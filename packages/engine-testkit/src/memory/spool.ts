import type { OutputChunk, OutputOffsets } from "@boxrun/core";
import { Signal } from "./signal.ts";

const maxChunkBytes = 64 * 1024;

/**
 * What a program wrote and nobody has acknowledged yet, in the order in which it was written. When it is full the program waits.
 */
export class Spool {
  readonly #limitBytes: number;
  #chunks: OutputChunk[] = [];
  /** How many chunks were forgotten: the number of the first one that is still here. */
  #forgotten = 0;
  #bytes = 0;
  #written = { stdout: 0, stderr: 0 };
  #acknowledged = { stdout: 0, stderr: 0 };
  #closed = false;
  readonly #changed = new Signal();
  readonly #room = new Signal();

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Resolves when all of it is in the spool. Rejects once the program has ended, so that what is left of it stops. */
  async write(stream: "stdout" | "stderr", data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += maxChunkBytes) {
      const piece = Buffer.from(data.subarray(at, at + maxChunkBytes));
      while (!this.#closed && this.#bytes > 0 && this.#bytes + piece.length > this.#limitBytes) await this.#room.next();
      if (this.#closed) throw new Error("the program has ended");
      this.#chunks.push({ stream, offset: this.#written[stream], data: piece });
      this.#written[stream] += piece.length;
      this.#bytes += piece.length;
      this.#changed.raise();
    }
  }

  /** Whether everything from these offsets on is still here. */
  has(offsets: OutputOffsets): boolean {
    return offsets.stdout >= this.#acknowledged.stdout && offsets.stderr >= this.#acknowledged.stderr;
  }

  /** Forgets what lies wholly before these offsets, from the oldest on. */
  acknowledge(offsets: OutputOffsets): void {
    for (const stream of ["stdout", "stderr"] as const) {
      this.#acknowledged[stream] = Math.max(this.#acknowledged[stream], offsets[stream]);
    }
    let count = 0;
    for (const { stream, offset, data } of this.#chunks) {
      if (offset + data.length > offsets[stream]) break;
      this.#bytes -= data.length;
      count += 1;
    }
    if (count === 0) return;
    this.#chunks.splice(0, count);
    this.#forgotten += count;
    this.#room.raise();
  }

  /** Nothing more will be written: readers end behind what is there. */
  close(): void {
    this.#closed = true;
    this.#changed.raise();
    this.#room.raise();
  }

  /** Whether a reader that has these offsets has everything. */
  isReadTo(offsets: OutputOffsets): boolean {
    return this.#closed && offsets.stdout >= this.#written.stdout && offsets.stderr >= this.#written.stderr;
  }

  /** What follows `from`, as it is written; ends when the spool is closed and empty, or `stopped` says so. */
  async *read(from: OutputOffsets, stopped: () => boolean): AsyncGenerator<OutputChunk> {
    for (let number = this.#forgotten; !stopped(); ) {
      number = Math.max(number, this.#forgotten);
      const chunk = this.#chunks[number - this.#forgotten];
      if (chunk === undefined) {
        if (this.#closed) return;
        await this.#changed.next();
        continue;
      }
      number += 1;
      const known = Math.max(0, from[chunk.stream] - chunk.offset);
      if (known < chunk.data.length) {
        yield known === 0 ? chunk : { ...chunk, offset: chunk.offset + known, data: chunk.data.subarray(known) };
      }
    }
  }

  /** Lets readers look at `stopped` again. */
  wakeReaders(): void {
    this.#changed.raise();
  }
}
