/** So long a rate looks back: short enough to follow a change, long enough not to flicker. */
const windowMs = 5000;

/** How fast a count grows. */
export class RateMeter {
  readonly #samples: { readonly atMs: number; readonly count: number }[] = [];

  /** Units per second over the last seconds; `undefined` until two samples say anything. `nowMs` never goes back. */
  add(count: number, nowMs: number): number | undefined {
    this.#samples.push({ atMs: nowMs, count });
    while ((this.#samples[1]?.atMs ?? nowMs) <= nowMs - windowMs) this.#samples.shift();
    const [first] = this.#samples;
    if (first === undefined || nowMs === first.atMs) return undefined;
    return (count - first.count) / ((nowMs - first.atMs) / 1000);
  }
}
