import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Machine, WatchedSurroundings } from "@boxrun/agent-engine";
import type { BoxSpec, BoxUsage } from "@boxrun/core";
import { type AgentLine, BulkArea } from "@boxrun/guest-agent";
import { isAlive, isStopped, signalProcess, usageOf, waitUntilGone } from "@boxrun/host";
import { boxFiles } from "./command-line.ts";
import { lastWords } from "./console.ts";
import { endProcesses, type GuestEnd, type RunningQemu } from "./machine.ts";
import { helpersOf, Surroundings } from "./surroundings.ts";

/** For the guest to unmount and end once nothing runs in it, and for QEMU to write out and quit. */
const powerOffLimitMs = 8000;
export const quitLimitMs = 3000;

/** A box's VM, as the agent's engine drives it. */
export class QemuMachine implements Machine {
  readonly line: AgentLine;
  readonly bulk: BulkArea | undefined;
  readonly guestEnd: Promise<GuestEnd>;
  readonly #running: RunningQemu;
  readonly #spec: Pick<BoxSpec, "volumes" | "network">;
  readonly #boxDir: string;
  #surroundings: Surroundings | undefined;

  constructor(running: RunningQemu, spec: Pick<BoxSpec, "volumes" | "network">, boxDir: string) {
    this.line = running.line;
    this.bulk = running.hasBulk ? new BulkArea(join(boxDir, boxFiles.bulk)) : undefined;
    this.guestEnd = running.guestEnd;
    this.#running = running;
    this.#spec = spec;
    this.#boxDir = boxDir;
  }

  isHeld(): boolean {
    return isStopped(this.#running.qemu);
  }

  hostUsage(options: { readonly proportional: boolean }): Promise<BoxUsage["host"]> {
    return usageOf([this.#running.qemu, ...this.#running.helpers], options);
  }

  aboutToEnd(): void {
    signalProcess(this.#running.qemu, "SIGCONT");
  }

  async shutDown(asked: boolean): Promise<{ readonly forced: boolean }> {
    const limit = sleep(powerOffLimitMs, undefined, { ref: false });
    const ended = asked ? await Promise.race([this.guestEnd, limit]) : undefined;
    // Written by the guest is not yet written by QEMU: quit flushes.
    await this.#quit();
    return { forced: ended === undefined };
  }

  kill(): void {
    signalProcess(this.#running.qemu, "SIGKILL");
  }

  async lastWords(): Promise<string> {
    const { qmp, qemuEnd } = this.#running;
    const { how, held } = await this.guestEnd;
    if (held) {
      const words = await lastWords(qmp);
      return words === "" ? how : `${how}; the console's last lines: ${words}`;
    }
    if (qemuEnd === undefined) return how;
    return (await Promise.race([qemuEnd.then((end) => `its QEMU process ${end}`), sleep(200)])) ?? how;
  }

  disconnect(): void {
    this.#surroundings?.close();
  }

  async clearAway(asked: boolean): Promise<void> {
    const { qmp, qemu, helpers } = this.#running;
    if ((await this.guestEnd).held) {
      // Where nobody has asked, nobody else does: a guest that stopped by itself may have left writes in QEMU.
      if (asked) await waitUntilGone(qemu, quitLimitMs);
      else if (isAlive(qemu)) await this.#quit();
    }
    qmp.close();
    await endProcesses(this.#boxDir, [qemu, ...helpers]);
  }

  letGo(): void {
    this.#running.qmp.close();
  }

  watchSurroundings(onChange: () => void): WatchedSurroundings {
    const helpers = helpersOf(this.#spec, this.#running.helpers, this.#boxDir);
    this.#surroundings = new Surroundings(helpers, onChange);
    return this.#surroundings;
  }

  async #quit(): Promise<void> {
    this.#running.qmp.execute("quit").catch(() => undefined);
    if (!(await waitUntilGone(this.#running.qemu, quitLimitMs))) signalProcess(this.#running.qemu, "SIGKILL");
  }
}
