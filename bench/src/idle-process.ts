import { setTimeout as delay } from "node:timers/promises";
import { processRef, usageOf } from "@boxrun/host";

const lookMs = 250;
/** In a row: longer than a server waits before it tidies up behind itself. */
const idleLooks = 8;
/** Of CPU, for a look. */
const idleCpuMs = 10;
const limitMs = 60_000;

/** Resolves when the process has had next to nothing to do for two seconds. */
export async function untilIdle(pid: number): Promise<void> {
  let before = await cpuMs(pid);
  for (let [waited, idle] = [0, 0]; idle < idleLooks; waited += lookMs) {
    if (waited > limitMs) throw new Error(`process ${pid} was never idle for ${limitMs / 1000} s`);
    await delay(lookMs);
    const now = await cpuMs(pid);
    idle = now - before <= idleCpuMs ? idle + 1 : 0;
    before = now;
  }
}

async function cpuMs(pid: number): Promise<number> {
  const ref = processRef(pid);
  if (ref === undefined) throw new Error(`process ${pid} has ended`);
  return (await usageOf([ref], { proportional: false })).cpuMs;
}
