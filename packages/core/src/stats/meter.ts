import type { BoxUsage, UsageOptions } from "../ports/engine.ts";
import { type Reading, readingOf, sampleOf } from "./reading.ts";
import { type Sample, Samples } from "./samples.ts";

/** What a box uses, and how that is known. */
export interface Measured {
  readonly reading: Reading;
  readonly sample: Sample;
}

/** Readings that are nearer give rates that say nothing. */
const leastGapMs = 250;
/** A box that takes less than this of one CPU, in percent, does nothing worth asking for. */
const idlePercent = 1;

type Ask = (options: UsageOptions) => Promise<BoxUsage>;

/** Reads one box: for whoever wants to know, all of whom share what comes, and every step for the last hour. */
export class Meter {
  readonly samples = new Samples();
  readonly #ask: Ask;
  readonly #now: () => number;
  #latest: Measured | undefined;
  #pending: Promise<Measured> | undefined;
  #lastKept: Reading | undefined;
  /** Its agent has said that it does not know the question. */
  #isOld = false;

  constructor(ask: Ask, now: () => number) {
    this.#ask = ask;
    this.#now = now;
  }

  get latest(): Measured | undefined {
    return this.#latest;
  }

  /** A reading from now, with rates if there was one before. Rejects as the engine's `usage`. */
  measure(): Promise<Measured> {
    const latest = this.#latest;
    if (latest !== undefined && this.#isFresh(latest)) return Promise.resolve(latest);
    this.#pending ??= this.#measure().finally(() => {
      this.#pending = undefined;
    });
    return this.#pending;
  }

  /** One step of the last hour. The box itself is asked only if it has done something since the step before. Resolves with whether it has done nothing. */
  async keep(): Promise<boolean> {
    const before = this.#lastKept;
    const host = await this.#read({ guest: false, proportional: false }, before);
    const isIdle = before !== undefined && (sampleOf(host, before).hostCpuPercent ?? 100) < idlePercent;
    const wasAnswered = before?.guest !== undefined;
    const reading = isIdle && wasAnswered ? host : await this.#read({ guest: true, proportional: false }, before);
    const sample = sampleOf(reading, before);
    this.#lastKept = reading;
    this.#latest = { reading, sample };
    this.samples.push(reading.atMs, sample);
    return isIdle;
  }

  async #measure(): Promise<Measured> {
    const before = this.#latest?.reading;
    const reading = await this.#read({ guest: true, proportional: true }, before);
    this.#latest = { reading, sample: sampleOf(reading, before) };
    return this.#latest;
  }

  async #read(options: UsageOptions, before: Reading | undefined): Promise<Reading> {
    const told = await this.#ask({ ...options, guest: options.guest && !this.#isOld });
    this.#isOld ||= told.guest.state === "unsupported";
    const usage: BoxUsage = this.#isOld ? { ...told, guest: { state: "unsupported" } } : told;
    return readingOf(this.#now(), usage, before);
  }

  #isFresh({ reading, sample }: Measured): boolean {
    return (
      reading.usage.guest.state !== "not-asked" && sample.cpuPercent !== null && this.#now() - reading.atMs < leastGapMs
    );
  }
}
