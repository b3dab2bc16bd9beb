import { constants } from "node:os";

type InterruptSignal = "SIGINT" | "SIGTERM" | "SIGHUP";
const interruptSignals: readonly InterruptSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Ctrl-C, or a request to end that came as another signal. */
export class Interrupted extends Error {
  /** 130 for Ctrl-C. */
  readonly exitCode: number;

  constructor(signal: InterruptSignal) {
    super(`interrupted by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

export interface Interrupts extends Disposable {
  /** Aborted with an Interrupted by the first signal. */
  readonly signal: AbortSignal;
}

/**
 * How long a command that was interrupted may take to end tidily. A server gives a box 15 s to say that a program is gone, and a box of our own is to be removed
 * behind that.
 */
const tidyLimitMs = 25_000;

/**
 * The first signal asks the command to end tidily, and the second ends the process at once. So does the end of `limitMs` with `onLate`, which says so: whatever
 * hangs, and the server may not answer at all, the command goes.
 */
export function listenForInterrupts(onLate?: () => void, limitMs = tidyLimitMs): Interrupts {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const listener = (name: InterruptSignal) => {
    const reason = new Interrupted(name);
    if (controller.signal.aborted) process.exit(reason.exitCode);
    if (onLate !== undefined) {
      const leave = () => {
        onLate();
        process.exit(reason.exitCode);
      };
      timer = setTimeout(leave, limitMs).unref();
    }
    controller.abort(reason);
  };
  for (const name of interruptSignals) process.on(name, listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      for (const name of interruptSignals) process.off(name, listener);
    },
  };
}
