import { type FileHandle, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import type { Logger, VolumeSpec } from "@boxrun/core";
import { AgentLine, socketAddress } from "@boxrun/guest-agent";
import { makeBulkDisk } from "../disks/bulk-disk.ts";
import { type DetachedProcess, firstPassed, spawnDetached } from "../host/detached.ts";
import { ownCopy } from "../host/memory-copy.ts";
import { MemoryPlacing, PlacingFailed, type PlacingTrust } from "../host/memory-placing.ts";
import type { BoxCgroup } from "../host/started-in.ts";
import type { BoxCgroups } from "../jail/cgroups.ts";
import { handOverSocket, type Jail, jailedFiles, limitsOf, sealSockets, spawnJailed } from "../jail/jail.ts";
import { startNetwork } from "../network/passt.ts";
import { startVolume } from "../volumes/virtiofsd.ts";
import { attachVolumes } from "./attach-volumes.ts";
import { boxFiles, qemuArgs, type VmShape } from "./command-line.ts";
import { connectQmp } from "./connect-qmp.ts";
import { lastWords } from "./console.ts";
import { endProcesses, type RunningQemu, watchGuest } from "./machine.ts";
import type { Qmp } from "./qmp.ts";
import { writeVmRecord } from "./record.ts";
import { sendState } from "./send-state.ts";

export interface BootPlan {
  readonly boxId: string;
  readonly boxDir: string;
  readonly qemu: string;
  /** What is around QEMU; `undefined` where the host can't make it. */
  readonly jail: Jail | undefined;
  /** Where the box gets a cgroup of its own; by default it gets none. */
  readonly cgroups?: BoxCgroups | undefined;
  readonly shape: VmShape;
  readonly volumes: readonly VolumeSpec[];
  readonly hostHelper: string;
  readonly placing: PlacingTrust;
  readonly logger: Logger;
  /** `undefined`: it boots, with memory of its own. */
  readonly kept?: KeptVm;
}

/**
 * `memory`, an open file, is a VM's, which goes on from there and `state` without a change to either (`resume`), or with that file for its memory (`go-on`); or it becomes the memory
 * of one that is to be saved. A VM with volumes resumes with a copy of it: what serves them writes into its memory, and what QEMU maps privately nobody else sees.
 */
export type KeptVm =
  | { readonly use: "resume" | "go-on"; readonly memory: number; readonly state: Uint8Array }
  | { readonly use: "save"; readonly memory: number };

/** How long a resume may take until the agent greets: a fraction of a second, but on a host that has no time. */
const resumeLimitMs = 10_000;

/** How long the first attempt may take until the agent greets; the second may take twice as long. */
const bootLimitMs = { kvm: 10_000, tcg: 30_000 } as const;

/** The guest hung or died while it booted: worth another attempt. */
class BootFailed extends BoxRunError {
  /** Nothing else is known to be wrong: the host may just have had no time. */
  readonly isLate: boolean;

  constructor(message: string, cause: unknown, isLate = false) {
    super("RUNTIME_ERROR", message, { cause });
    this.isLate = isLate;
  }
}

/** Whether the VM was given up because its agent had not greeted in time. */
export function isLate(error: unknown): boolean {
  return error instanceof BootFailed && error.isLate;
}

/**
 * Boots a VM until its agent greets, with one more attempt if the guest hangs or dies. On failure, or if `signal` aborts, no process and
 * no socket is left.
 */
export async function coldBoot(plan: BootPlan, signal: AbortSignal, limitMs?: number): Promise<RunningQemu> {
  const firstLimitMs = limitMs ?? bootLimitMs[plan.shape.accelerator];
  try {
    return await bootOnce(plan, signal, firstLimitMs);
  } catch (error) {
    if (signal.aborted || !(error instanceof BootFailed)) throw error;
    plan.logger.warn({ boxId: plan.boxId, reason: error.message }, "the first attempt to boot failed; trying again");
    return await bootOnce(plan, signal, 2 * firstLimitMs);
  }
}

/** Has the VM that is kept go on, until its agent greets. What is left on failure: as of `coldBoot`. */
export async function resumeKept(
  plan: BootPlan & { readonly kept: KeptVm & { readonly state: Uint8Array } },
  signal: AbortSignal,
): Promise<RunningQemu> {
  try {
    return await bootOnce(plan, signal, resumeLimitMs);
  } catch (error) {
    if (!(error instanceof PlacingFailed)) throw error;
    plan.placing.lose(error);
    return await bootOnce(plan, signal, resumeLimitMs);
  }
}

async function bootOnce(plan: BootPlan, signal: AbortSignal, limitMs: number): Promise<RunningQemu> {
  const { boxDir } = plan;
  const started: DetachedProcess[] = [];
  let qmp: Qmp | undefined;
  let line: AgentLine | undefined;
  let own: Promise<FileHandle | undefined> | undefined;
  using placing = startPlacing(plan);
  const deadline = AbortSignal.timeout(limitMs);
  const either = AbortSignal.any([signal, deadline]);
  try {
    await mkdir(join(boxDir, boxFiles.socketDir), { recursive: true, mode: 0o700 });
    const cgroup = await cgroupOf(plan);
    own = ownMemory(plan, cgroup, either);
    own.catch(() => undefined);
    const helpers = await startHelpers(plan, cgroup, either, started);
    if (plan.shape.disks !== undefined) await makeBulkDisk(join(boxDir, plan.shape.disks.bulk));
    const qemu = await startQemu(plan, cgroup, (await own)?.fd, placing !== undefined);
    started.unshift(qemu);
    const refs = { qemu: qemu.ref, helpers: helpers.map((helper) => helper.ref) };
    await writeVmRecord(boxDir, { ...refs, guestBootId: null });
    qmp = await connectQmp(join(boxDir, boxFiles.qmpSocket), qemu, either);
    const guestEnd = watchGuest(qmp);
    await placing?.into(qemu.ref, either);
    if (plan.kept !== undefined && "state" in plan.kept) await sendState(qmp, boxDir, plan.kept.state, either);
    if (plan.jail !== undefined) await sealSockets(boxDir);
    line = new AgentLine(socketAddress(join(boxDir, boxFiles.agentSocket)));
    const ended = guestEnd.then((end) => {
      throw new BootFailed(`boot box ${plan.boxId}: ${end.how} before its agent answered`, undefined);
    });
    await Promise.race([Promise.all([line.open(either), attachVolumes(qmp, plan.volumes.length)]), ended]);
    ended.catch(() => undefined);
    return { ...refs, qmp, line, guestEnd, hasBulk: plan.shape.disks !== undefined, qemuEnd: qemu.ended };
  } catch (error) {
    const words = qmp === undefined ? "" : await lastWords(qmp);
    const said = words === "" ? "" : `; the console's last lines: ${words}`;
    const failure =
      error instanceof BootFailed
        ? new BootFailed(`${error.message}${said}`, error)
        : new BootFailed(
            `boot box ${plan.boxId}: its agent did not answer within ${limitMs / 1000} s${said}`,
            error,
            deadline.aborted,
          );
    line?.end(failure);
    qmp?.close();
    await endProcesses(
      boxDir,
      started.map((process) => process.ref),
    );
    signal.throwIfAborted();
    if (error instanceof BootFailed || deadline.aborted) throw failure;
    throw error instanceof PlacingFailed ? error : await blameHelper(error, started);
  } finally {
    // QEMU has it, or nobody needs it any more.
    await (await own?.catch(() => undefined))?.close();
  }
}

/** `undefined`: QEMU opens what its memory is to be, or has nothing to open. */
function startPlacing({ hostHelper, placing, shape, kept }: BootPlan): MemoryPlacing | undefined {
  if (kept?.use !== "resume" || shape.volumes !== undefined || placing.isLost) return undefined;
  return new MemoryPlacing(hostHelper, kept.memory, firstPassed);
}

/** `undefined`: it can do with what is kept, or has none. */
async function ownMemory(
  { hostHelper, shape, kept }: BootPlan,
  cgroup: BoxCgroup | undefined,
  signal: AbortSignal,
): Promise<FileHandle | undefined> {
  if (kept?.use !== "resume" || shape.volumes === undefined) return undefined;
  return await ownCopy(hostHelper, kept.memory, cgroup, signal);
}

async function cgroupOf({ boxId, cgroups, hostHelper, shape }: BootPlan): Promise<BoxCgroup | undefined> {
  const dir = await cgroups?.make(boxId, limitsOf(shape));
  return dir === undefined ? undefined : { dir, hostHelper };
}

/** `own`: an open file that is to be its memory in place of what is kept. */
async function startQemu(
  { jail, qemu, shape: bare, boxDir, kept }: BootPlan,
  cgroup: BoxCgroup | undefined,
  own: number | undefined,
  isPlaced: boolean,
): Promise<DetachedProcess> {
  const shape =
    kept === undefined
      ? bare
      : withKept(bare, kept, { isOwn: own !== undefined, isPlaced, isJailed: jail !== undefined });
  const files = kept === undefined ? [] : [own ?? kept.memory];
  if (jail === undefined) return await spawnDetached(qemu, qemuArgs(shape), boxDir, { files, cgroup });
  const sockets: string[] = isConnected(shape) ? [boxFiles.netSocket] : [];
  for (let index = 0; index < (shape.volumes ?? 0); index++) sockets.push(boxFiles.volumeSocket(index));
  for (const socket of sockets) await handOverSocket(boxDir, socket);
  return await spawnJailed(jail, shape, boxDir, { files, cgroup });
}

function withKept(
  shape: VmShape,
  { use }: KeptVm,
  { isOwn, isPlaced, isJailed }: Readonly<Record<"isOwn" | "isPlaced" | "isJailed", boolean>>,
): VmShape {
  const incoming = use !== "save";
  if (isPlaced) return { ...shape, memory: { use: "placed" }, incoming };
  const path = `${isJailed ? jailedFiles : "/proc/self/fd"}/${firstPassed}`;
  const ofTemplate = use === "resume" ? "private" : "written";
  return { ...shape, memory: { path, use: isOwn ? "own" : ofTemplate }, incoming };
}

function isConnected({ network }: VmShape): boolean {
  return network !== undefined && network.line !== "none";
}

/** A helper that ended as soon as it listened knows better than QEMU why there was nothing to connect to. */
async function blameHelper(error: unknown, processes: readonly DetachedProcess[]): Promise<unknown> {
  // They have all been ended by now; those with last words had them of their own accord.
  const ends = await Promise.all(processes.slice(1).map((process) => Promise.race([process.ended, sleep(100, "")])));
  const words = ends.filter((end) => end.includes(": ")).join("; ");
  if (words === "" || !(error instanceof BoxRunError)) return error;
  return new BoxRunError(error.code, `${error.message}; one of its helpers ${words}`, { cause: error });
}

async function startHelpers(
  plan: BootPlan,
  cgroup: BoxCgroup | undefined,
  signal: AbortSignal,
  started: DetachedProcess[],
): Promise<readonly DetachedProcess[]> {
  const { boxDir, hostHelper } = plan;
  const tasks = plan.volumes.map((volume, index) => startVolume(volume, index, boxDir, hostHelper, cgroup, signal));
  if (isConnected(plan.shape)) tasks.push(startNetwork(boxDir, hostHelper, cgroup, signal));
  const helpers: DetachedProcess[] = [];
  for (const result of await Promise.allSettled(tasks)) {
    if (result.status === "fulfilled") helpers.push(result.value);
  }
  started.push(...helpers);
  // The first one's reason; those that started are ended by the caller.
  await Promise.all(tasks);
  return helpers;
}
