/** So many at once, and so many per second in the long run. */
export class Rate {
  readonly #burst: number;
  readonly #perMs: number;
  readonly #nowMs: () => number;
  #left: number;
  #atMs: number;

  constructor(burst: number, perSecond: number, nowMs: () => number = () => performance.now()) {
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#nowMs = nowMs;
    this.#left = burst;
    this.#atMs = nowMs();
  }

  /** Takes `count`, which may be more than is left, and tells whether anything was. */
  take(count: number): boolean {
    const now = this.#nowMs();
    this.#left = Math.min(this.#burst, this.#left + (now - this.#atMs) * this.#perMs);
    this.#atMs = now;
    if (this.#left <= 0) return false;
    this.#left -= count;
    return true;
  }

  /** Until something is left, in milliseconds. */
  get waitMs(): number {
    return this.#left > 0 ? 0 : Math.ceil(-this.#left / this.#perMs) + 1;
  }
}
