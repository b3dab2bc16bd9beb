import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../src/index.ts";

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is told to go on: a test of a minute takes milliseconds. */
export class TestClock implements Clock {
  #nowMs = 1_790_000_000_000;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#nowMs;
  }

  after(ms: number, callback: () => void): Disposable {
    const timer = { atMs: this.#nowMs + ms, callback };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => this.#timers.delete(timer) };
  }

  /** Whatever is due meanwhile happens at its time, and what that brings about is let happen. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      await settle();
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

/** Promises, and a write to the store, which comes in the next turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
}
