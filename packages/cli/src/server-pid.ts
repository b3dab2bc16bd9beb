import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const holderSchema = z.object({
  pid: z.int().positive(),
  /** RFC 3339. */
  started_at: z.string(),
  /** The process's start in clock ticks since boot, where the kernel tells (Linux): tells a pid from its reuse. */
  start_ticks: z.string().nullable().default(null),
  /** These once it serves. */
  version: z.string().optional(),
  socket: z.string().optional(),
  /** `127.0.0.1:9090`; `null` without TCP. */
  tcp: z.string().nullable().optional(),
});
export type ServerRecord = z.infer<typeof holderSchema>;

/** What the process that holds a state directory wrote down there; `undefined` if it does not live any more, also if its pid is another's now. */
export function liveServer(stateDir: string): ServerRecord | undefined {
  try {
    const server = holderSchema.parse(JSON.parse(readFileSync(join(stateDir, "server.json"), "utf8")));
    return isAlive(server) ? server : undefined;
  } catch {
    return undefined;
  }
}

export function serverPid(stateDir: string): number | undefined {
  return liveServer(stateDir)?.pid;
}

export function isAlive({ pid, start_ticks }: Pick<ServerRecord, "pid" | "start_ticks">): boolean {
  if (start_ticks !== null) return startTicks(pid) === start_ticks;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Field 22 of /proc/PID/stat; `undefined` for a process that is no more, and for a zombie. The name before it may hold spaces and brackets. */
function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" ? undefined : fields[18];
  } catch {
    return undefined;
  }
}
