import { setTimeout as sleep } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import { type Adoption, nothingStopped, type StopReport } from "@boxrun/core";
import {
  AgentFiles,
  type AgentLine,
  afterFailure,
  Forgetting,
  GuestClock,
  hearAgain,
  powerOff,
} from "@boxrun/guest-agent";
import { isAlive, isStopped, type ProcessRef, signalProcess, waitUntilGone } from "@boxrun/host";
import { lastWords } from "./console.ts";
import { endProcesses, type Machine } from "./machine.ts";
import { type Helper, Surroundings } from "./surroundings.ts";

/** For the guest to unmount and end once nothing runs in it, and for QEMU to write out and quit. */
const powerOffLimitMs = 8000;
export const quitLimitMs = 3000;

export interface VmContext {
  readonly boxId: string;
  readonly boxDir: string;
  /** Called once if the VM ends and nobody asked for it. */
  readonly onDeath: (reason: string) => void;
  /** What of the box is served by which of the machine's helpers. */
  readonly helpersOf: (refs: readonly ProcessRef[]) => readonly Helper[];
  /** Called when what does not work around the VM has changed; `undefined` if all does. */
  readonly onImpairment: (trouble: string | undefined) => void;
}

/** A box's running VM. */
export class Vm {
  readonly boxId: string;
  readonly line: AgentLine;
  readonly files: AgentFiles;
  readonly forgetting: Forgetting;
  /** Resolves when the VM has ended and its processes and sockets are gone; never if it is let go. */
  readonly ended: Promise<void>;
  readonly #machine: Machine;
  readonly #context: VmContext;
  readonly #gone = new AbortController();
  readonly #surroundings: Surroundings;
  #ending = false;
  #released = false;

  constructor(machine: Machine, context: VmContext) {
    this.boxId = context.boxId;
    this.line = machine.line;
    this.files = new AgentFiles(machine.line, context.boxId);
    this.forgetting = new Forgetting(machine.line);
    this.#machine = machine;
    this.#context = context;
    new GuestClock(machine.line, { isHeld: () => isStopped(machine.qemu), gone: this.#gone.signal });
    this.#surroundings = new Surroundings(context.helpersOf(machine.helpers), context.onImpairment);
    this.ended = this.#watch();
  }

  /** What does not work around the VM, for a person. */
  get impairment(): string | undefined {
    return this.#surroundings.trouble;
  }

  /** Aborts, with a BoxRunError, when the VM is gone or let go: execs and transfers of it are over then. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Whether its agent answers now. */
  async answers(signal: AbortSignal): Promise<Adoption> {
    try {
      await hearAgain(this.line, signal);
      return { state: "running" };
    } catch (error) {
      return this.#gone.signal.aborted ? { state: "dead" } : afterFailure(error);
    }
  }

  /** Ends the VM politely, its disk flushed, and by force if it takes too long. */
  async powerOff(graceMs: number): Promise<StopReport> {
    if (this.#gone.signal.aborted) {
      await this.ended;
      return nothingStopped;
    }
    this.#ending = true;
    // One that somebody has frozen hears nothing.
    signalProcess(this.#machine.qemu, "SIGCONT");
    const { guestEnd } = this.#machine;
    // It may end faster than it answers, and if it does not answer, what follows ends it in any case.
    const killed = await Promise.race([powerOff(this.line, graceMs), guestEnd.then(() => [])]);
    const limit = sleep(powerOffLimitMs, undefined, { ref: false });
    const ended = killed === undefined ? undefined : await Promise.race([guestEnd, limit]);
    // Written by the guest is not yet written by QEMU: quit flushes.
    await this.#quit();
    await this.ended;
    return { killed: killed ?? [], forced: ended === undefined };
  }

  /** Ends the VM at once. What was not flushed is lost to its disk, as in a power cut. */
  async kill(): Promise<void> {
    this.#ending = true;
    signalProcess(this.#machine.qemu, "SIGKILL");
    return this.ended;
  }

  /** Closes the connections and leaves the VM running. */
  letGo(): void {
    this.#released = true;
    this.#end(new BoxRunError("RUNTIME_ERROR", `box ${this.boxId} was let go: the server is closing`));
    this.#machine.qmp.close();
  }

  async #quit(): Promise<void> {
    this.#machine.qmp.execute("quit").catch(() => undefined);
    if (!(await waitUntilGone(this.#machine.qemu, quitLimitMs))) signalProcess(this.#machine.qemu, "SIGKILL");
  }

  async #watch(): Promise<void> {
    const { qmp, qemu, helpers, qemuEnd, guestEnd } = this.#machine;
    const end = await guestEnd;
    if (this.#released) return new Promise(() => undefined);
    let reason = end.how;
    if (end.held) {
      const words = await lastWords(qmp);
      if (words !== "") reason = `${reason}; the console's last lines: ${words}`;
    } else if (qemuEnd !== undefined) {
      reason = (await Promise.race([qemuEnd.then((how) => `its QEMU process ${how}`), sleep(200)])) ?? reason;
    }
    this.#end(
      new BoxRunError("RUNTIME_ERROR", `box ${this.boxId} ${this.#ending ? "was stopped" : `died: ${reason}`}`),
    );
    if (!this.#ending) {
      this.#context.onDeath(reason);
      // Nobody else does: a guest that stopped by itself may have left writes in QEMU.
      if (end.held && isAlive(qemu)) await this.#quit();
    } else if (end.held) {
      await waitUntilGone(qemu, quitLimitMs);
    }
    qmp.close();
    await endProcesses(this.#context.boxDir, [qemu, ...helpers]);
  }

  #end(reason: BoxRunError): void {
    this.#surroundings.close();
    this.line.end(reason);
    this.#gone.abort(reason);
  }
}
