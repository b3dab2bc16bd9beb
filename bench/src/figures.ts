/** One line of a benchmark's result: a measured value against its bar. */
export interface Figure {
  readonly name: string;
  readonly value: string;
  /** What the value was measured against, in the same run. */
  readonly reference: string;
  readonly bar: string;
  readonly held: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error("median of nothing");
  return middle;
}

export const ms = (value: number) => `${value.toFixed(1)} ms`;
export const mb = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MB`;

export interface Timed<T> {
  readonly ms: number;
  readonly result: T;
}

export async function timed<T>(work: () => Promise<T>): Promise<Timed<T>> {
  const begun = performance.now();
  const result = await work();
  return { ms: performance.now() - begun, result };
}

export function print(title: string, figures: readonly Figure[]): void {
  console.log(`\n${title}`);
  for (const { name, value, reference, bar, held } of figures) {
    console.log(`  ${held ? "holds" : "FAILS"}  ${name}: ${value}  (bar ${bar}; reference ${reference})`);
  }
}
