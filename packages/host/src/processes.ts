import { readdirSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { SharedLook } from "./shared-look.ts";

/**
 * A process that may outlive the server. A pid alone is not enough: after the process's end the kernel may give it to another one,
 * which must not be killed. Pid and start time together name one process until the host reboots.
 */
export const processRefSchema = z.object({
  pid: z.int().positive(),
  /** Field 22 of /proc/PID/stat: clock ticks between the host's boot and the process's start. */
  startTime: z.string().regex(/^\d+$/),
});
export type ProcessRef = z.infer<typeof processRefSchema>;

interface ProcessStat {
  readonly state: string;
  readonly startTime: string;
}

function readStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, startTime] = [fields[0], fields[19]];
  return state === undefined || startTime === undefined ? undefined : { state, startTime };
}

/** Names a living process; `undefined` if it has ended. */
export function processRef(pid: number): ProcessRef | undefined {
  const stat = readStat(pid);
  return stat === undefined ? undefined : { pid, startTime: stat.startTime };
}

export function isAlive(ref: ProcessRef): boolean {
  const stat = readStat(ref.pid);
  return stat !== undefined && stat.startTime === ref.startTime && stat.state !== "Z" && stat.state !== "X";
}

/** Whether it was stopped (SIGSTOP, a debugger) and waits to go on. */
export function isStopped(ref: ProcessRef): boolean {
  const stat = readStat(ref.pid);
  return stat !== undefined && stat.startTime === ref.startTime && (stat.state === "T" || stat.state === "t");
}

/** Sends a signal to exactly this process; `false` if it is gone. */
export function signalProcess(ref: ProcessRef, signal: NodeJS.Signals): boolean {
  if (!isAlive(ref)) return false;
  try {
    return process.kill(ref.pid, signal);
  } catch {
    return false;
  }
}

/** `true` once the process is gone, `false` if it is still there after `deadlineMs`. */
export async function waitUntilGone(ref: ProcessRef, deadlineMs: number): Promise<boolean> {
  // A process that is not our child gives no event; a look at /proc costs some 20 µs.
  const deadline = Date.now() + deadlineMs;
  while (isAlive(ref)) {
    if (Date.now() >= deadline) return false;
    await sleep(10);
  }
  return true;
}

/** Ends these processes by force and waits until they are gone. */
export async function killAll(refs: readonly ProcessRef[]): Promise<void> {
  for (const ref of refs) signalProcess(ref, "SIGKILL");
  await Promise.all(refs.map((ref) => waitUntilGone(ref, 10_000)));
}

/** Every process of a box carries this variable, so that one whose pid was never written down can still be found. */
export const boxDirVariable = "BOXRUN_BOX_DIR";

/** All processes, of this user or (as root) of any, that were started for the box in `boxDir`: as of a look that began after the call. */
export async function findBoxProcesses(boxDir: string): Promise<readonly ProcessRef[]> {
  return (await boxProcesses.next()).get(boxDir) ?? [];
}

/** All processes of boxes, by the box's directory. */
async function lookForBoxProcesses(): Promise<ReadonlyMap<string, readonly ProcessRef[]>> {
  const found = new Map<string, ProcessRef[]>();
  for (const name of await readdir("/proc")) {
    const boxDir = /^\d+$/.test(name) ? await boxDirOf(name) : undefined;
    if (boxDir === undefined) continue;
    // And looked at once more: if the pid was another process's meanwhile, this names neither.
    const ref = processRef(Number(name));
    if (ref === undefined || (await boxDirOf(name)) !== boxDir) continue;
    found.set(boxDir, [...(found.get(boxDir) ?? []), ref]);
  }
  return found;
}

async function boxDirOf(pid: string): Promise<string | undefined> {
  try {
    const variables = (await readFile(`/proc/${pid}/environ`, "utf8")).split("\0");
    return variables.find((variable) => variable.startsWith(`${boxDirVariable}=`))?.slice(boxDirVariable.length + 1);
  } catch {
    return undefined;
  }
}

/** A server that recovers asks for thousands of boxes at once, and each would look at every process of the host. */
const boxProcesses = new SharedLook(lookForBoxProcesses);

/** All processes whose command line is one that `isWanted` wants, each looked for when it is asked for, highest pid first. */
export function findProcessesByCommand(isWanted: (argv: readonly string[]) => boolean): Iterable<ProcessRef> {
  return findProcesses((read) => isWanted(read("cmdline").toString("utf8").split("\0")));
}

/** `isWanted` reads files of a process below /proc; one that can't be read, or has ended, is not wanted. */
function* findProcesses(isWanted: (read: (file: string) => Buffer) => boolean): Generator<ProcessRef, void, void> {
  for (const name of readdirSync("/proc").reverse()) {
    const ref = /^\d+$/.test(name) ? wantedProcess(name, isWanted) : undefined;
    if (ref !== undefined) yield ref;
  }
}

function wantedProcess(pid: string, isWanted: (read: (file: string) => Buffer) => boolean): ProcessRef | undefined {
  const wanted = () => isWanted((file) => readFileSync(`/proc/${pid}/${file}`));
  try {
    if (!wanted()) return undefined;
    // And looked at once more: if the pid was another process's meanwhile, this names neither.
    const ref = processRef(Number(pid));
    return ref !== undefined && wanted() ? ref : undefined;
  } catch {
    return undefined;
  }
}
