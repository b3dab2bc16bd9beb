import { BoxRunError } from "@boxrun/contract";
import type { Clock } from "../ports/clock.ts";

/** Who waits for something. When the last one has hung up, and nobody has come back in time, `abandoned` aborts. */
export class Attendance implements Disposable {
  readonly #clock: Clock;
  readonly #returnMs: number;
  readonly #abandoned = new AbortController();
  readonly #waiting = new Set<AbortSignal>();
  #timer: Disposable | undefined;

  constructor(clock: Clock, returnMs: number) {
    this.#clock = clock;
    this.#returnMs = returnMs;
  }

  get abandoned(): AbortSignal {
    return this.#abandoned.signal;
  }

  /** `caller` aborts when that one hangs up. */
  join(caller: AbortSignal): void {
    this.#timer?.[Symbol.dispose]();
    this.#waiting.add(caller);
    caller.addEventListener("abort", () => this.#leave(caller), { once: true });
    if (caller.aborted) this.#leave(caller);
  }

  [Symbol.dispose](): void {
    this.#waiting.clear();
    this.#timer?.[Symbol.dispose]();
  }

  #leave(caller: AbortSignal): void {
    if (!this.#waiting.delete(caller) || this.#waiting.size > 0) return;
    const why = `Nobody came back for it within ${this.#returnMs / 1000} s`;
    this.#timer = this.#clock.after(this.#returnMs, () => this.#abandoned.abort(new BoxRunError("CANCELED", why)));
  }
}
