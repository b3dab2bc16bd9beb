import { longestSequenceBytes, ScreenScan, type TerminalModes } from "./screen-scan.ts";

/** What is kept of a session's output for whoever attaches later. */
export const ringBytes = 256 * 1024;

/** The newest output of a terminal, by its offset. Bytes are copied in and out: nothing else is kept in memory by them. */
export class OutputRing {
  /** Somewhat more than what is kept, because it is cut where a terminal can begin. */
  readonly #buffer = Buffer.alloc(ringBytes + longestSequenceBytes);
  readonly #origin: number;
  readonly #scan: ScreenScan;
  #scanned: number;
  #end: number;

  /** Output begins at `offset`, in these modes. */
  constructor(offset: number, modes: TerminalModes) {
    this.#origin = offset;
    this.#scan = new ScreenScan(offset, modes);
    this.#scanned = offset;
    this.#end = offset;
  }

  /** Behind the last byte. */
  get end(): number {
    return this.#end;
  }

  /** Where a replay begins: not in the middle of a character or an escape sequence. What is before may be forgotten. */
  get start(): number {
    return this.#scan.cut;
  }

  /** What the output before `start`, or a little more of it, has left set. */
  get modes(): TerminalModes {
    return this.#scan.modes;
  }

  /** Whether what follows `offset` is still all there. */
  has(offset: number): boolean {
    return offset >= Math.max(this.#origin, this.#end - this.#buffer.length);
  }

  append(data: Uint8Array): void {
    // In pieces, so that every byte is scanned before it is overwritten.
    for (let at = 0; at < data.length; at += longestSequenceBytes)
      this.#append(data.subarray(at, at + longestSequenceBytes));
  }

  /** A copy of what follows `offset`, at most `maxBytes`; empty at the end. */
  read(offset: number, maxBytes: number): Uint8Array {
    const length = Math.min(this.#end - offset, maxBytes);
    return Buffer.concat(this.#slices(offset, offset + length));
  }

  #append(data: Uint8Array): void {
    const end = this.#end + data.length;
    const place = this.#end % this.#buffer.length;
    const first = data.subarray(0, this.#buffer.length - place);
    const keepFrom = end - ringBytes;
    // Before the oldest bytes are overwritten.
    if (keepFrom > this.#scanned) {
      const stored = Math.min(keepFrom, this.#end);
      for (const slice of this.#slices(this.#scanned, stored)) this.#scan.add(slice);
      this.#scanned = Math.max(this.#scanned, stored);
    }
    this.#buffer.set(first, place);
    this.#buffer.set(data.subarray(first.length), 0);
    this.#end = end;
  }

  /** Views of what lies between two offsets. */
  #slices(from: number, to: number): Uint8Array[] {
    const slices: Uint8Array[] = [];
    for (let at = from; at < to; ) {
      const place = at % this.#buffer.length;
      const length = Math.min(to - at, this.#buffer.length - place);
      slices.push(this.#buffer.subarray(place, place + length));
      at += length;
    }
    return slices;
  }
}
