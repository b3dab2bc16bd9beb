import type { AgentLine } from "./line.ts";
import { okSchema } from "./messages.ts";
import { requestJson } from "./requests.ts";

/** How often the host looks at its own clock, and whether it holds the VM: neither wakes the guest. */
const lookEveryMs = 2000;
/** An answer says its time in whole seconds. */
const dateStepMs = 1000;
/** What a clock may be off before it is set. */
const toleranceMs = 1500;
/** Between two sets that a guest's own word has brought about: the first, and at most. One that is off again and again does so on purpose. */
const pauseMs = 2000;
const longestPauseMs = 60_000;

export interface GuestClockOptions {
  /** Whether the host keeps the VM from running: its time stands still. */
  readonly isHeld: () => boolean;
  readonly gone: AbortSignal;
  readonly lookEveryMs?: number;
  /** The host's time, and one that nobody sets, in milliseconds. */
  readonly now?: () => { readonly wallMs: number; readonly steadyMs: number };
}

/**
 * Keeps a guest's clock right: sets it when an answer comes with another time than the host's, when the host's own clock has jumped (it was set, or
 * the host has slept), and when the VM goes on that was held. What a program in the box sets is put right by the agent itself.
 */
export class GuestClock {
  readonly #line: AgentLine;
  readonly #options: GuestClockOptions;
  readonly #now: () => { readonly wallMs: number; readonly steadyMs: number };
  #offsetMs: number;
  #wasHeld = false;
  #isSetting = false;
  /** What it was told last is from before the host's clock has jumped, or the VM went on. */
  #isDue = false;
  /** Sets in a row that have not helped. */
  #inVain = 0;
  #notBeforeMs = 0;

  constructor(line: AgentLine, options: GuestClockOptions) {
    this.#line = line;
    this.#options = options;
    this.#now = options.now ?? (() => ({ wallMs: Date.now(), steadyMs: performance.now() }));
    const { wallMs, steadyMs } = this.#now();
    this.#offsetMs = wallMs - steadyMs;
    if (options.gone.aborted) return;
    const timer = setInterval(() => this.#look(), options.lookEveryMs ?? lookEveryMs).unref();
    options.gone.addEventListener("abort", () => clearInterval(timer), { once: true });
    line.onAnswer((date, askedAtMs) => this.#hear(date, askedAtMs));
  }

  #look(): void {
    const { wallMs, steadyMs } = this.#now();
    const offsetMs = wallMs - steadyMs;
    const hasJumped = Math.abs(offsetMs - this.#offsetMs) > toleranceMs / 2;
    this.#offsetMs = offsetMs;
    const isHeld = this.#options.isHeld();
    const goesOn = this.#wasHeld && !isHeld;
    this.#wasHeld = isHeld;
    if (hasJumped || goesOn) this.#isDue = true;
    // At the next look, if it is being told already.
    if (this.#isDue) void this.#set();
  }

  /** The guest's time was `date` when it answered, between `askedAtMs` and now. */
  #hear(date: string, askedAtMs: number): void {
    const guestMs = date.length > 40 ? Number.NaN : Date.parse(date);
    if (Number.isNaN(guestMs)) return;
    const { wallMs, steadyMs } = this.#now();
    const isRight = guestMs + dateStepMs > askedAtMs - toleranceMs && guestMs < wallMs + toleranceMs;
    if (isRight) this.#inVain = 0;
    else if (steadyMs >= this.#notBeforeMs) {
      this.#notBeforeMs = steadyMs + Math.min(pauseMs * 2 ** this.#inVain, longestPauseMs);
      this.#inVain += 1;
      void this.#set();
    }
  }

  async #set(): Promise<void> {
    if (this.#isSetting || this.#options.gone.aborted) return;
    this.#isSetting = true;
    this.#isDue = false;
    try {
      const body = { unix_ns: (BigInt(Math.round(this.#now().wallMs)) * 1_000_000n).toString() };
      await requestJson(this.#line, "POST", "/clock", okSchema, { body });
    } catch {
      // It does not answer. When it does again, its answer shows whether its clock is right.
    } finally {
      this.#isSetting = false;
    }
  }
}
