import { readFile } from "node:fs/promises";
import { run } from "@boxrun/host";

/** The frequency of the host's time stamp counter in kHz, measured; `undefined` where the CPU has none. */
export async function measureTscKhz(hostHelper: string): Promise<number | undefined> {
  try {
    const khz = Number(await run(hostHelper, ["tsc"], { operation: "measure the time stamp counter" }));
    if (Number.isSafeInteger(khz) && khz > 0) return khz;
  } catch {
    // The kernel's own figure is the next best.
  }
  const mhz = /^cpu MHz\s*: ([\d.]+)$/m.exec(await readFile("/proc/cpuinfo", "utf8"))?.[1];
  return mhz === undefined ? undefined : Math.round(Number(mhz) * 1000);
}
