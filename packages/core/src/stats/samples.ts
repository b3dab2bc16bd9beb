/** How often a box's use is kept, and for how long: an hour. */
export const stepMs = 10_000;
export const keptSamples = 360;

const columnNames = [
  "cpuPercent",
  "memoryBytes",
  "diskBytes",
  "receivedPerSecond",
  "sentPerSecond",
  "processes",
  "hostCpuPercent",
  "hostMemoryBytes",
] as const;
type ColumnName = (typeof columnNames)[number];

/** What was used at one time, or on average since the time before; `null` where nobody knows. */
export type Sample = Readonly<Record<ColumnName, number | null>>;

/** Samples by column, oldest first; `atMs` since the epoch. */
export interface SampleColumns {
  readonly atMs: number[];
  readonly columns: Record<ColumnName, (number | null)[]>;
}

const width = columnNames.length;

/**
 * The newest samples of one box: a ring, in the same memory (some 14 KB) from the first one to the last. Numbers have the 24 bits of a
 * float: a chart shows no more.
 */
export class Samples {
  readonly #atMs = new Float64Array(keptSamples);
  readonly #values = new Float32Array(keptSamples * width);
  #count = 0;
  #next = 0;

  push(atMs: number, sample: Sample): void {
    this.#atMs[this.#next] = atMs;
    for (const [column, name] of columnNames.entries()) {
      this.#values[this.#next * width + column] = sample[name] ?? Number.NaN;
    }
    this.#next = (this.#next + 1) % keptSamples;
    this.#count = Math.min(this.#count + 1, keptSamples);
  }

  /** The newest `limit` of them. */
  read(limit = keptSamples): SampleColumns {
    const count = Math.min(limit, this.#count);
    const slots = Array.from({ length: count }, (_, index) => (this.#next - count + index + keptSamples) % keptSamples);
    const column = (name: ColumnName) => {
      const index = columnNames.indexOf(name);
      return slots.map((slot) => known(this.#values[slot * width + index]));
    };
    return {
      atMs: slots.map((slot) => this.#atMs[slot] ?? 0),
      columns: {
        cpuPercent: column("cpuPercent"),
        memoryBytes: column("memoryBytes"),
        diskBytes: column("diskBytes"),
        receivedPerSecond: column("receivedPerSecond"),
        sentPerSecond: column("sentPerSecond"),
        processes: column("processes"),
        hostCpuPercent: column("hostCpuPercent"),
        hostMemoryBytes: column("hostMemoryBytes"),
      },
    };
  }
}

/** To a tenth: more is not meant. */
function known(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : Math.round(value * 10) / 10;
}
