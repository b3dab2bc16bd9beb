import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

const lookMs = 250;
/** In a row: longer than a server waits before it tidies up behind itself. */
const idleLooks = 8;
/** In clock ticks of 10 ms, for a look. */
const idleTicks = 1;
const limitMs = 60_000;

/** Resolves when the process has had next to nothing to do for two seconds. Source: proc(5), /proc/pid/stat, utime and stime. */
export async function untilIdle(pid: number): Promise<void> {
  let before = await cpuTicks(pid);
  for (let [waited, idle] = [0, 0]; idle < idleLooks; waited += lookMs) {
    if (waited > limitMs) throw new Error(`process ${pid} was never idle for ${limitMs / 1000} s`);
    await delay(lookMs);
    const now = await cpuTicks(pid);
    idle = now - before <= idleTicks ? idle + 1 : 0;
    before = now;
  }
}

async function cpuTicks(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
