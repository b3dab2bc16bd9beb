import { readFile } from "node:fs/promises";
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
import { isAlive, isStopped, signalProcess, waitUntilGone } from "@boxrun/host";
import { z } from "zod";
import type { Machine } from "./boot.ts";

/** For BoxLite to end the VM once nothing runs in it, and for its process to go. */
const powerOffLimitMs = 8000;
const killLimitMs = 3000;

/**
 * How often a VM's process is looked at: it is no child of ours, so nothing tells its end. An end that nobody asked for is known within a
 * second; one that somebody waits for, sooner.
 */
const watchMs = 800;
const watchEndMs = 50;

export interface VmContext {
  readonly boxId: string;
  readonly exitFile: string;
  /** Called once if the VM ends and nobody asked for it. */
  readonly onDeath: (reason: string) => void;
}

/** A box's running VM. */
export class Vm {
  readonly boxId: string;
  readonly line: AgentLine;
  readonly files: AgentFiles;
  readonly forgetting: Forgetting;
  /** Resolves when the VM's process is gone; never if it is let go. */
  readonly ended: Promise<void>;
  readonly #machine: Machine;
  readonly #context: VmContext;
  readonly #gone = new AbortController();
  /** Aborted when somebody has asked for the VM's end. */
  readonly #ending = new AbortController();
  #released = false;

  constructor(machine: Machine, context: VmContext) {
    this.boxId = context.boxId;
    this.line = machine.line;
    this.files = new AgentFiles(machine.line, context.boxId);
    this.forgetting = new Forgetting(machine.line);
    this.#machine = machine;
    this.#context = context;
    new GuestClock(machine.line, { isHeld: () => isStopped(machine.process), gone: this.#gone.signal });
    this.ended = this.#watch();
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
  async powerOff(graceMs: number, shutDown: () => Promise<void>): Promise<StopReport> {
    if (this.#gone.signal.aborted) {
      await this.ended;
      return nothingStopped;
    }
    this.#ending.abort();
    // One that somebody has frozen hears nothing.
    signalProcess(this.#machine.process, "SIGCONT");
    // It may end faster than it answers, and if it does not answer, what follows ends it in any case.
    const killed = await Promise.race([powerOff(this.line, graceMs), this.ended.then(() => [])]);
    await Promise.race([shutDown().catch(() => undefined), sleep(powerOffLimitMs, undefined, { ref: false })]);
    const isGone = await waitUntilGone(this.#machine.process, killLimitMs);
    if (!isGone) signalProcess(this.#machine.process, "SIGKILL");
    await this.ended;
    return { killed: killed ?? [], forced: killed === undefined || !isGone };
  }

  /** Ends the VM at once. What was not flushed is lost to its disk, as in a power cut. */
  async kill(): Promise<void> {
    this.#ending.abort();
    signalProcess(this.#machine.process, "SIGKILL");
    return this.ended;
  }

  /** Closes the connections and leaves the VM running. */
  letGo(): void {
    this.#released = true;
    this.#end(new BoxRunError("RUNTIME_ERROR", `box ${this.boxId} was let go: the server is closing`));
  }

  async #watch(): Promise<void> {
    while (isAlive(this.#machine.process)) {
      if (this.#released) return new Promise(() => undefined);
      await this.#nextLook();
    }
    if (this.#released) return new Promise(() => undefined);
    const reason = await howItEnded(this.#context.exitFile);
    this.#end(
      new BoxRunError(
        "RUNTIME_ERROR",
        `box ${this.boxId} ${this.#ending.signal.aborted ? "was stopped" : `died: ${reason}`}`,
      ),
    );
    if (!this.#ending.signal.aborted) this.#context.onDeath(reason);
  }

  /** Somebody who waits for an end that was asked for keeps this process up; a VM that just runs does not. */
  async #nextLook(): Promise<void> {
    const { signal } = this.#ending;
    if (signal.aborted) await sleep(watchEndMs);
    else await sleep(watchMs, undefined, { ref: false, signal }).catch(() => undefined);
  }

  #end(reason: BoxRunError): void {
    this.line.end(reason);
    this.#machine.reception.close();
    this.#gone.abort(reason);
  }
}

const exitSchema = z.object({
  type: z.string().max(64),
  exit_code: z.int().optional(),
  signal: z.string().max(64).optional(),
});

async function howItEnded(exitFile: string): Promise<string> {
  try {
    const exit = exitSchema.parse(JSON.parse(await readFile(exitFile, "utf8")));
    if (exit.signal !== undefined) return `its VM was killed by ${exit.signal}`;
    return `its VM ended with ${exit.exit_code ?? exit.type}`;
  } catch {
    return "its VM ended";
  }
}
