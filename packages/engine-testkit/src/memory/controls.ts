import type { BoxRunError } from "@boxrun/contract";

/** The engine's methods that a test can count, fail and hold. */
export type ControlledMethod =
  | "create"
  | "prepare"
  | "start"
  | "stop"
  | "readDisk"
  | "remove"
  | "adopt"
  | "exec"
  | "resumeExec"
  | "writeFile"
  | "readFile"
  | "writeArchive"
  | "readArchive"
  | "listFiles"
  | "statFile"
  | "makeDirectory"
  | "renameFile"
  | "watchFiles"
  | "removeFile"
  | "connect"
  | "usage"
  | "reclaimMemory"
  | "forgetImage";

/** A call that was stopped on its way. */
export interface Hold {
  /** Resolves when a call has come to the hold. */
  readonly reached: Promise<void>;
  /** Lets it, and all later ones, go on. */
  release(): void;
}

/** How a test steers a memory engine. */
export class MemoryControls {
  readonly #calls = new Map<ControlledMethod, number>();
  readonly #failures = new Map<ControlledMethod, BoxRunError[]>();
  /** What the last stop gave the programs. */
  graceMs: number | undefined;
  readonly #holds = new Map<
    ControlledMethod,
    { boxId: string | undefined; reach: () => void; released: Promise<void> }
  >();

  /** How often it was called. */
  calls(method: ControlledMethod): number {
    return this.#calls.get(method) ?? 0;
  }

  /** The next call rejects with this; one more each time it is said. */
  failNext(method: ControlledMethod, error: BoxRunError): void {
    this.#failures.set(method, [...(this.#failures.get(method) ?? []), error]);
  }

  /** Calls hang until the hold is released, or the call's signal aborts; with `boxId`, which only `adopt` tells, those of this box. */
  hold(method: ControlledMethod, boxId?: string): Hold {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#holds.set(method, { boxId, reach: reached.resolve, released: released.promise });
    return {
      reached: reached.promise,
      release: () => {
        this.#holds.delete(method);
        released.resolve();
      },
    };
  }

  /** For the engine: at the beginning of each call. Rejects with what was asked for, or the signal's reason. */
  async enter(method: ControlledMethod, signal?: AbortSignal, boxId?: string): Promise<void> {
    this.#calls.set(method, this.calls(method) + 1);
    const hold = this.#holds.get(method);
    if (hold !== undefined && (hold.boxId === undefined || hold.boxId === boxId)) {
      hold.reach();
      await (signal === undefined ? hold.released : Promise.race([hold.released, aborted(signal)]));
    }
    signal?.throwIfAborted();
    const failure = this.#failures.get(method)?.shift();
    if (failure !== undefined) throw failure;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
