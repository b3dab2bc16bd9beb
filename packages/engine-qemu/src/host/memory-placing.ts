import { BoxRunError } from "@boxrun/contract";
import type { Logger } from "@boxrun/core";
import type { ProcessRef } from "@boxrun/host";
import { HelperProcess } from "./helper-process.ts";

/** The template's memory could not be put into a QEMU, of which there is nothing else to say. */
export class PlacingFailed extends BoxRunError {
  constructor(why: string, cause?: unknown) {
    super("RUNTIME_ERROR", `map the template's memory into QEMU: ${why}`, { cause });
  }
}

/** Whether this host lets one process map memory into another. It is taken to until it has refused. */
export class PlacingTrust {
  readonly #logger: Logger;
  #isLost = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  lose(error: PlacingFailed): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#logger.warn(
      { err: error },
      "boxes give back no memory that they no longer use: it is QEMU that maps a template's",
    );
  }
}

/** Maps a template's memory into a QEMU, by the host helper (host-helper/place.go), which starts while QEMU does. */
export class MemoryPlacing implements Disposable {
  readonly #helper: HelperProcess;

  /** `memory`: an open file of this process, which QEMU has as `descriptor`. */
  constructor(hostHelper: string, memory: number, descriptor: number) {
    this.#helper = new HelperProcess(hostHelper, ["place", `/proc/${process.pid}/fd/${memory}`, String(descriptor)], {
      fail: (how, cause) => new PlacingFailed(how, cause),
    });
  }

  /** QEMU waits for a VM's state, and its guest does not run. `PlacingFailed`: its memory is neither its own nor the template's. */
  async into(qemu: ProcessRef, signal: AbortSignal): Promise<void> {
    const done = this.#helper.line(signal);
    this.#helper.say(String(qemu.pid));
    await done;
  }

  [Symbol.dispose](): void {
    this.#helper[Symbol.dispose]();
  }
}
