import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Machine } from "@boxrun/agent-engine";
import type { BoxUsage } from "@boxrun/core";
import type { AgentLine } from "@boxrun/guest-agent";
import { isAlive, isStopped, signalProcess, usageOf, waitUntilGone } from "@boxrun/host";
import { z } from "zod";
import type { RunningVm } from "./boot.ts";

/** For BoxLite to end the VM once nothing runs in it, and for its process to go. */
const powerOffLimitMs = 8000;
const killLimitMs = 3000;

/**
 * How often a VM's process is looked at: it is no child of ours, so nothing tells its end. An end that nobody asked for is known within a
 * second; one that somebody waits for, sooner.
 */
const watchMs = 800;
const watchEndMs = 50;

export interface MachineContext {
  /** How the VM's process ended. */
  readonly exitFile: string;
  /** Has BoxLite end the VM. */
  readonly stop: () => Promise<void>;
}

/** A box's VM, as the agent's engine drives it. */
export class BoxLiteMachine implements Machine {
  readonly line: AgentLine;
  readonly guestEnd: Promise<void>;
  readonly #running: RunningVm;
  readonly #context: MachineContext;
  /** Aborted when somebody has asked for the VM's end. */
  readonly #ending = new AbortController();
  #released = false;

  constructor(running: RunningVm, context: MachineContext) {
    this.line = running.line;
    this.#running = running;
    this.#context = context;
    this.guestEnd = this.#watch();
  }

  isHeld(): boolean {
    return isStopped(this.#running.process);
  }

  hostUsage(options: { readonly proportional: boolean }): Promise<BoxUsage["host"]> {
    return usageOf([this.#running.process], options);
  }

  aboutToEnd(): void {
    this.#ending.abort();
    signalProcess(this.#running.process, "SIGCONT");
  }

  async shutDown(): Promise<{ readonly forced: boolean }> {
    const { process } = this.#running;
    await Promise.race([
      this.#context.stop().catch(() => undefined),
      sleep(powerOffLimitMs, undefined, { ref: false }),
    ]);
    const isGone = await waitUntilGone(process, killLimitMs);
    if (!isGone) signalProcess(process, "SIGKILL");
    return { forced: !isGone };
  }

  kill(): void {
    this.#ending.abort();
    signalProcess(this.#running.process, "SIGKILL");
  }

  async lastWords(): Promise<string> {
    try {
      const exit = exitSchema.parse(JSON.parse(await readFile(this.#context.exitFile, "utf8")));
      if (exit.signal !== undefined) return `its VM was killed by ${exit.signal}`;
      return `its VM ended with ${exit.exit_code ?? exit.type}`;
    } catch {
      return "its VM ended";
    }
  }

  disconnect(): void {
    this.#running.reception.close();
  }

  /** Its process was all there was. */
  async clearAway(): Promise<void> {}

  letGo(): void {
    this.#released = true;
  }

  async #watch(): Promise<void> {
    while (isAlive(this.#running.process)) {
      await this.#nextLook();
      if (this.#released) return new Promise(() => undefined);
    }
  }

  /** Somebody who waits for an end that was asked for keeps this process up; a VM that just runs does not. */
  async #nextLook(): Promise<void> {
    const { signal } = this.#ending;
    if (signal.aborted) await sleep(watchEndMs);
    else await sleep(watchMs, undefined, { ref: false, signal }).catch(() => undefined);
  }
}

const exitSchema = z.object({
  type: z.string().max(64),
  exit_code: z.int().optional(),
  signal: z.string().max(64).optional(),
});
