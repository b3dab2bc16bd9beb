import { KeyedLock } from "../keyed-lock.ts";

/** Who may change a box: one after another for each box. */
export class BoxTurns {
  readonly #lock = new KeyedLock();
  /** What is being created, started or reached, so that a stop or a forced removal can interrupt it. */
  readonly #inProgress = new Map<string, AbortController>();

  run<T>(boxId: string, work: () => Promise<T>): Promise<T> {
    return this.#lock.run(boxId, work);
  }

  /** As `run`; the work can be interrupted by `signal` and by `interrupt`. */
  interruptible<T>(boxId: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#lock.run(boxId, async () => {
      const controller = new AbortController();
      this.#inProgress.set(boxId, controller);
      try {
        return await work(AbortSignal.any([signal, controller.signal]));
      } finally {
        this.#inProgress.delete(boxId);
      }
    });
  }

  interrupt(boxId: string, reason: Error): void {
    this.#inProgress.get(boxId)?.abort(reason);
  }
}
