export interface ReaderPatience {
  /** A reader that takes nothing for so long is not waited for any more, until it takes something again. */
  readonly stallMs: number;
  /** How long a program waits for a reader whose connection was lost to come back. */
  readonly returnMs: number;
  /** What of a reader's last bytes is kept for it: they may have been lost on their way. */
  readonly inFlightBytes: number;
}

/** A reader that has gone before it had everything. */
interface Gone {
  readonly seq: number;
  readonly untilMs: number;
}

/**
 * Who follows an exec's output, and for whom its program is slowed down: for readers that move, and for those that are only gone for a
 * moment. Not for one that stands still.
 */
export class Readers {
  readonly #patience: ReaderPatience;
  readonly #readers = new Set<Reader>();
  readonly #gone = new Set<Gone>();
  readonly #waiting = new Set<() => void>();

  /** `awaitedSeq`: of a server before this one, whose readers may come back. */
  constructor(patience: ReaderPatience, awaitedSeq: number | null = null) {
    this.#patience = patience;
    if (awaitedSeq !== null) this.#expect(awaitedSeq);
  }

  /** One that has the events up to `after`. */
  join(after: number): Reader {
    // The nearest is taken for the one that comes back: one that has less than we thought comes back, too.
    const [returned] = [...this.#gone].sort((one, other) => Math.abs(one.seq - after) - Math.abs(other.seq - after));
    if (returned !== undefined) this.#gone.delete(returned);
    const reader = new Reader(after, this.#patience, () => this.wake());
    this.#readers.add(reader);
    return reader;
  }

  leave(reader: Reader): void {
    this.#readers.delete(reader);
    if (!reader.hasAll && !reader.standsStill(performance.now())) this.#expect(reader.keptSeq);
    this.wake();
  }

  /** The last event that the slowest of those who are waited for needs no more; `null` if nobody is waited for. */
  awaitedSeq(): number | null {
    const nowMs = performance.now();
    let lowest: number | null = null;
    for (const reader of this.#readers) {
      if (!reader.standsStill(nowMs)) lowest = Math.min(lowest ?? reader.keptSeq, reader.keptSeq);
    }
    for (const gone of this.#gone) {
      if (gone.untilMs <= nowMs) this.#gone.delete(gone);
      else lowest = Math.min(lowest ?? gone.seq, gone.seq);
    }
    return lowest;
  }

  /** Resolves when `awaitedSeq` is, or may be, another one than `seq`, or with `signal`. */
  async changed(seq: number | null, signal: AbortSignal): Promise<void> {
    if (this.awaitedSeq() !== seq) return;
    const nowMs = performance.now();
    const ends = [
      ...[...this.#readers].map((reader) => reader.stallsAtMs),
      ...[...this.#gone].map((gone) => gone.untilMs),
    ];
    const soonestMs = Math.min(...ends.filter((atMs) => atMs > nowMs));
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = Number.isFinite(soonestMs) ? setTimeout(done, soonestMs - nowMs + 1) : undefined;
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
      if (signal.aborted) done();
    });
  }

  /** Whoever waits looks again. */
  wake(): void {
    for (const done of this.#waiting) done();
  }

  #expect(seq: number): void {
    this.#gone.add({ seq, untilMs: performance.now() + this.#patience.returnMs });
  }
}

/** One who follows an exec. */
export class Reader {
  readonly #patience: ReaderPatience;
  readonly #onChange: () => void;
  /** What it was given last, oldest first: as much as may still be on its way. */
  #given: { readonly seq: number; readonly bytes: number }[] = [];
  #givenBytes = 0;
  #keptSeq: number;
  #lastSeq: number;
  /** When it was given what it has not taken yet. */
  #sinceMs: number | undefined;
  #hasAll = false;

  constructor(after: number, patience: ReaderPatience, onChange: () => void) {
    this.#keptSeq = after;
    this.#lastSeq = after;
    this.#patience = patience;
    this.#onChange = onChange;
  }

  /** The last event that need not be kept for it. */
  get keptSeq(): number {
    return this.#keptSeq;
  }

  get hasAll(): boolean {
    return this.#hasAll;
  }

  get stallsAtMs(): number {
    return this.#sinceMs === undefined ? Number.POSITIVE_INFINITY : this.#sinceMs + this.#patience.stallMs;
  }

  standsStill(nowMs: number): boolean {
    return nowMs >= this.stallsAtMs;
  }

  /** It is given events, up to `seq`; with the exec's end, it will ask for no more. */
  gives(seq: number, bytes: number, isEnd: boolean): void {
    this.#sinceMs = performance.now();
    this.#lastSeq = seq;
    this.#given.push({ seq, bytes });
    this.#givenBytes += bytes;
    this.#hasAll = isEnd;
  }

  /** It has taken what it was given. */
  takes(): void {
    this.#sinceMs = undefined;
    for (let [oldest] = this.#given; oldest !== undefined; [oldest] = this.#given) {
      if (this.#givenBytes - oldest.bytes < this.#patience.inFlightBytes) break;
      this.#given.shift();
      this.#givenBytes -= oldest.bytes;
      this.#keptSeq = oldest.seq;
    }
    this.#onChange();
  }

  /** There is no more for it now: what is newest is kept anyway. */
  isUpToDate(): void {
    this.#given = [];
    this.#givenBytes = 0;
    this.#keptSeq = this.#lastSeq;
    this.#onChange();
  }
}
