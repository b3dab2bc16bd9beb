import { BoxRunError } from "@boxrun/contract";
import {
  type Adoption,
  type BoxUsage,
  type GuestAnswer,
  nothingStopped,
  type StopReport,
  type UsageOptions,
} from "@boxrun/core";
import {
  AgentFiles,
  type AgentLine,
  afterFailure,
  Forgetting,
  GuestClock,
  guestUsage,
  hearAgain,
  powerOff,
} from "@boxrun/guest-agent";
import type { Machine, WatchedSurroundings } from "./provider.ts";

export interface VmContext {
  readonly boxId: string;
  /** Called once if the VM ends and nobody asked for it. */
  readonly onDeath: (reason: string) => void;
  /** Called when what does not work around the VM has changed; `undefined` if all does. */
  readonly onImpairment: (trouble: string | undefined) => void;
}

/** A box's running VM. */
export class Vm {
  readonly boxId: string;
  readonly line: AgentLine;
  readonly files: AgentFiles;
  readonly forgetting: Forgetting;
  /** Resolves when the VM has ended and nothing of it is left but its disk; never if it is let go. */
  readonly ended: Promise<void>;
  readonly #machine: Machine;
  readonly #context: VmContext;
  readonly #gone = new AbortController();
  readonly #surroundings: WatchedSurroundings | undefined;
  #asked = false;
  #released = false;

  constructor(machine: Machine, context: VmContext) {
    this.boxId = context.boxId;
    this.line = machine.line;
    this.files = new AgentFiles(machine.line, context.boxId, { bulk: machine.bulk });
    this.forgetting = new Forgetting(machine.line);
    this.#machine = machine;
    this.#context = context;
    new GuestClock(machine.line, { isHeld: () => machine.isHeld(), gone: this.#gone.signal });
    this.#surroundings = machine.watchSurroundings?.(() => context.onImpairment(this.impairment));
    this.ended = this.#watch();
  }

  /** What does not work around the VM, for a person. */
  get impairment(): string | undefined {
    return this.#surroundings?.trouble;
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

  async usage({ guest, proportional }: UsageOptions): Promise<BoxUsage> {
    const answer = await this.#guestUsage(guest);
    // Last, so that it is as new as the answer.
    return { host: await this.#machine.hostUsage({ proportional }), guest: answer };
  }

  /** Ends the VM politely, its disk flushed, and by force if it takes too long. */
  async powerOff(graceMs: number): Promise<StopReport> {
    if (this.#gone.signal.aborted) {
      await this.ended;
      return nothingStopped;
    }
    this.#asked = true;
    // One that somebody has frozen hears nothing.
    this.#machine.aboutToEnd();
    // It may end faster than it answers, and if it does not answer, what follows ends it in any case.
    const killed = await Promise.race([powerOff(this.line, graceMs), this.#machine.guestEnd.then(() => [])]);
    const { forced } = await this.#machine.shutDown(killed !== undefined);
    await this.ended;
    return { killed: killed ?? [], forced: forced || killed === undefined };
  }

  /** Ends the VM at once. What was not flushed is lost to its disk, as in a power cut. */
  async kill(): Promise<void> {
    this.#asked = true;
    this.#machine.kill();
    return this.ended;
  }

  /** Closes the connections and leaves the VM running. */
  letGo(): void {
    this.#released = true;
    this.#end(new BoxRunError("RUNTIME_ERROR", `box ${this.boxId} was let go: the server is closing`));
    this.#machine.letGo();
  }

  async #guestUsage(isAsked: boolean): Promise<GuestAnswer> {
    if (!isAsked) return { state: "not-asked" };
    // One that is frozen could not answer, and need not be waited for.
    if (this.#machine.isHeld()) return { state: "unreachable", why: "its VM is stopped by the host" };
    return await guestUsage(this.line);
  }

  async #watch(): Promise<void> {
    await this.#machine.guestEnd;
    if (this.#released) return new Promise(() => undefined);
    // Asked for meanwhile or not: what somebody asks for while it is dying is a death all the same.
    const asked = this.#asked;
    const reason = asked ? "" : await this.#machine.lastWords();
    this.#end(new BoxRunError("RUNTIME_ERROR", `box ${this.boxId} ${asked ? "was stopped" : `died: ${reason}`}`));
    if (!asked) this.#context.onDeath(reason);
    await this.#machine.clearAway(asked);
  }

  #end(reason: BoxRunError): void {
    this.line.end(reason);
    this.#machine.disconnect();
    this.#gone.abort(reason);
  }
}
