import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { BoxRunError } from "@boxrun/contract";
import type { Logger } from "@boxrun/core";
import { keepTail, type ProcessRef } from "@boxrun/host";

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
  readonly #helper: ChildProcessWithoutNullStreams;
  readonly #failed: Promise<never>;

  /** `memory`: an open file of this process, which QEMU has as `descriptor`. */
  constructor(hostHelper: string, memory: number, descriptor: number) {
    const args = ["place", `/proc/${process.pid}/fd/${memory}`, String(descriptor)];
    this.#helper = spawn(hostHelper, args, { stdio: ["pipe", "pipe", "pipe"], env: {} });
    const errors = keepTail(this.#helper.stderr, 4096);
    this.#helper.stdin.on("error", () => undefined);
    this.#failed = new Promise<never>((_, reject) => {
      this.#helper.once("error", (error) => reject(new PlacingFailed(error.message, error)));
      this.#helper.once("close", (code, killed) =>
        reject(new PlacingFailed(errors.text() || `its helper ended with ${code ?? killed}`)),
      );
    });
    this.#failed.catch(() => undefined);
  }

  /** QEMU waits for a VM's state, and its guest does not run. `PlacingFailed`: its memory is neither its own nor the template's. */
  async into(qemu: ProcessRef, signal: AbortSignal): Promise<void> {
    const lines = createInterface({ input: this.#helper.stdout });
    try {
      const done = once(lines, "line", { signal });
      this.#helper.stdin.write(`${qemu.pid}\n`);
      await Promise.race([done, this.#failed]);
    } finally {
      lines.close();
    }
  }

  [Symbol.dispose](): void {
    this.#helper.kill("SIGKILL");
  }
}
