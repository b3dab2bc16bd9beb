import { readFile } from "node:fs/promises";

/** Resident memory of a process in bytes. Source: proc(5), VmRSS. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status has no VmRSS`);
  return Number(kilobytes) * 1024;
}

/** The most memory that a process held while `work` ran, and before it began; sampled every 50 ms. */
export async function peakResident<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ readonly before: number; readonly peak: number; readonly result: T }> {
  const before = await residentBytes(pid);
  let peak = before;
  const timer = setInterval(() => {
    residentBytes(pid).then(
      (bytes) => {
        peak = Math.max(peak, bytes);
      },
      () => clearInterval(timer),
    );
  }, 50);
  try {
    const result = await work();
    return { before, peak: Math.max(peak, await residentBytes(pid)), result };
  } finally {
    clearInterval(timer);
  }
}
