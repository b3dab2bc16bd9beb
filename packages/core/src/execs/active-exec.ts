import type { Clock } from "../ports/clock.ts";
import type { ExecRecord } from "../ports/store.ts";
import { type ExecEnd, hostEnd } from "./exec-pump.ts";
import type { SteadyExec } from "./steady-exec.ts";

/** Between SIGTERM and SIGKILL, in the box. */
const killGraceMs = 5_000;
/** How long after the time at which everything of an exec must be gone its box may take to say so: a guest on a busy host is slow. */
export const confirmGraceMs = 10_000;
/** How long a server waits for the end of an exec that it has told to end. */
export const endLimitMs = killGraceMs + confirmGraceMs;

/** The server waits no longer: an exec ends as the server says, because its box has not said how it did. */
export class Overdue extends Error {
  override readonly name = "Overdue";
  readonly end: ExecEnd;

  constructor(end: ExecEnd) {
    super(end.errorMessage ?? "overdue");
    this.end = end;
  }
}

/**
 * An exec that this server is busy with. The box counts an exec's time itself and ends what is told to end; the server counts too, and a little longer, so that
 * a box that never answers holds nobody up.
 */
export class ActiveExec implements Disposable {
  readonly boxId: string;
  readonly exec: SteadyExec;
  readonly #clock: Clock;
  readonly #deadlines: Disposable[] = [];
  #isHeldUp = false;

  constructor(record: ExecRecord, exec: SteadyExec, clock: Clock) {
    this.boxId = record.boxId;
    this.exec = exec;
    this.#clock = clock;
    if (record.timeoutMs !== null) {
      // Some of it may have passed under the last server. A clock that was set back gives no more than all of it.
      const passedMs = Math.max(0, clock.now() - record.createdAtMs);
      const leftMs = Math.max(0, record.timeoutMs - passedMs);
      this.#endAfter(leftMs + endLimitMs, hostEnd("timeout"));
    }
  }

  /** It was told to end. */
  endsCanceled(): void {
    this.#endAfter(endLimitMs, hostEnd("canceled"));
  }

  /** Its box is gone, and with it whatever could say how it ended. */
  endsWithBox(message: string): void {
    this.exec.boxEnded(message);
    this.#endAfter(confirmGraceMs, hostEnd("failed", message));
  }

  /** While the store, or a reader, can't take the exec's output it is the server that holds it up, and not the box. */
  isHeldUp(isHeldUp: boolean): void {
    this.#isHeldUp = isHeldUp;
  }

  [Symbol.dispose](): void {
    for (const deadline of this.#deadlines) deadline[Symbol.dispose]();
  }

  #endAfter(ms: number, end: ExecEnd): void {
    const give = () => (this.#isHeldUp ? this.#endAfter(confirmGraceMs, end) : this.exec.giveUp(new Overdue(end)));
    this.#deadlines.push(this.#clock.after(ms, give));
  }
}
