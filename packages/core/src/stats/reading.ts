import type { BoxUsage, GuestUsage } from "../ports/engine.ts";
import type { Sample } from "./samples.ts";

/** What a box had used at one time. */
export interface Reading {
  readonly atMs: number;
  readonly usage: BoxUsage;
  /** What the box itself said last, and when; `undefined` if it never did. */
  readonly guest: { readonly usage: GuestUsage; readonly atMs: number } | undefined;
}

/** Puts a reading together: a box that was not asked is taken to have done nothing since it was, which is why it was not. */
export function readingOf(atMs: number, usage: BoxUsage, before: Reading | undefined): Reading {
  const { guest } = usage;
  if (guest.state === "answered") return { atMs, usage, guest: { usage: guest.usage, atMs } };
  return { atMs, usage, guest: guest.state === "not-asked" ? before?.guest : undefined };
}

/** What was used between two readings; of one alone there are no rates. */
export function sampleOf(now: Reading, before: Reading | undefined): Sample {
  const { host } = now.usage;
  const seconds = before === undefined ? 0 : (now.atMs - before.atMs) / 1000;
  const hostCpuPercent = percent(rate(host.cpuMs, before?.usage.host.cpuMs, seconds));
  const { guest } = now;
  const base = { hostCpuPercent, hostMemoryBytes: host.residentBytes };
  if (guest === undefined) {
    return {
      ...base,
      cpuPercent: hostCpuPercent,
      memoryBytes: null,
      diskBytes: null,
      receivedPerSecond: null,
      sentPerSecond: null,
      processes: null,
    };
  }
  const { usage } = guest;
  const earlier = before?.guest;
  // The guest's own time, for it may have been asked less often.
  const guestSeconds = earlier === undefined ? 0 : (guest.atMs - earlier.atMs) / 1000;
  const wasAsked = guestSeconds > 0;
  const since = (counter: number, previous: number | undefined) =>
    wasAsked ? rate(counter, previous, guestSeconds) : seconds > 0 && earlier !== undefined ? 0 : null;
  return {
    ...base,
    cpuPercent: wasAsked ? percent(rate(usage.cpuMs, earlier?.usage.cpuMs, guestSeconds)) : hostCpuPercent,
    memoryBytes: usage.memoryBytes,
    diskBytes: usage.diskBytes,
    receivedPerSecond: usage.network && since(usage.network.receivedBytes, earlier?.usage.network?.receivedBytes),
    sentPerSecond: usage.network && since(usage.network.sentBytes, earlier?.usage.network?.sentBytes),
    processes: usage.processes,
  };
}

/** What a counter has gained a second; `null` where that is not known: it is the first time, or it counts anew since a start. */
function rate(counter: number, previous: number | undefined, seconds: number): number | null {
  return previous === undefined || seconds <= 0 || counter < previous ? null : (counter - previous) / seconds;
}

/** Of milliseconds of CPU a second: 100 is one CPU, wholly. */
function percent(msPerSecond: number | null): number | null {
  return msPerSecond === null ? null : Math.round(msPerSecond) / 10;
}
