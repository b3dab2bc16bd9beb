import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isAlive, type ProcessRef } from "./processes.ts";

/** What some processes take of the host together. */
export interface ProcessUsage {
  /** CPU time since they began, in milliseconds. */
  readonly cpuMs: number;
  /** Bytes of memory that they have; what several have is counted for each. */
  readonly residentBytes: number;
}

/** What some processes take, with `proportionalBytes` if it is asked for and can be known. */
export async function usageOf(
  refs: readonly ProcessRef[],
  options: { readonly proportional: boolean },
): Promise<ProcessUsage & { readonly proportionalBytes: number | null }> {
  const shared = options.proportional ? await proportionalBytes(refs) : null;
  return { ...processUsage(refs), proportionalBytes: shared };
}

/** USER_HZ, in which /proc counts: 100 on every architecture that Linux tells programs of. */
const tickMs = 10;

/** Those that have ended count nothing. Some 50 µs for each. */
export function processUsage(refs: readonly ProcessRef[]): ProcessUsage {
  let cpuMs = 0;
  let residentBytes = 0;
  for (const ref of refs.filter(isAlive)) {
    cpuMs += cpuMsOf(read(ref, "stat"));
    residentBytes += kilobytes(read(ref, "status"), "VmRSS");
  }
  return { cpuMs, residentBytes };
}

/**
 * Bytes of memory, each divided by those that share it: boxes of one template share much. `null` where the kernel does not tell us. It goes
 * through all pages of the processes: milliseconds, on a thread of its own.
 */
export async function proportionalBytes(refs: readonly ProcessRef[]): Promise<number | null> {
  try {
    const texts = await Promise.all(
      refs.filter(isAlive).map(({ pid }) => readFile(`/proc/${pid}/smaps_rollup`, "latin1")),
    );
    return texts.reduce((sum, text) => sum + kilobytes(text, "Pss"), 0);
  } catch {
    return null;
  }
}

function read({ pid }: ProcessRef, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}

/** Fields 14 and 15 of proc_pid_stat(5), of user and of kernel mode; the second field, in parentheses, may hold anything. */
function cpuMsOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * tickMs;
}

function kilobytes(text: string, name: string): number {
  const value = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
  return Number(value ?? 0) * 1024;
}
