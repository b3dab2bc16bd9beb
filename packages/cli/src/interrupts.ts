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

/** The first signal asks the command to end tidily, the second ends the process at once. */
export function listenForInterrupts(): Interrupts {
  const controller = new AbortController();
  const listener = (name: InterruptSignal) => {
    const reason = new Interrupted(name);
    if (controller.signal.aborted) process.exit(reason.exitCode);
    controller.abort(reason);
  };
  for (const name of interruptSignals) process.on(name, listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of interruptSignals) process.off(name, listener);
    },
  };
}
