import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentLine } from "@boxrun/guest-agent";
import { findBoxProcesses, killAll, type ProcessRef, signalProcess, waitUntilGone } from "@boxrun/host";
import { z } from "zod";
import { boxFiles } from "./command-line.ts";
import type { Qmp } from "./qmp.ts";

/** A VM's processes and the two connections to it, however it was obtained: booted, or taken over from an earlier server. */
export interface RunningQemu {
  readonly qemu: ProcessRef;
  readonly helpers: readonly ProcessRef[];
  readonly qmp: Qmp;
  readonly line: AgentLine;
  /** See `watchGuest`; watched since before the guest ran. */
  readonly guestEnd: Promise<GuestEnd>;
  /** It has the disk for transfers. */
  readonly hasBulk: boolean;
  /** How QEMU ended, if this server started it. */
  readonly qemuEnd: Promise<string> | undefined;
}

export interface GuestEnd {
  /** QEMU is still there and holds the stopped guest. */
  readonly held: boolean;
  readonly how: string;
}

const statusSchema = z.object({ status: z.string() });

/** States of a VM that goes on or will: everything else is an end, since nobody pauses a box. */
const livingStates = new Set(["running", "prelaunch", "inmigrate", "restore-vm"]);

/** States of a VM whose guest is over: nothing brings it back. What is neither, somebody has stopped, and may let go on. */
const endedStates = new Set(["shutdown", "guest-panicked", "internal-error"]);

/** Resolves when the guest has ended, or QEMU has. */
export function watchGuest(qmp: Qmp): Promise<GuestEnd> {
  const { promise, resolve } = Promise.withResolvers<GuestEnd>();
  qmp.onEvent(({ event, data }) => {
    if (event === "SHUTDOWN") resolve({ held: true, how: describeShutdown(data.reason) });
    if (event === "GUEST_PANICKED") resolve({ held: true, how: "its kernel panicked" });
    if (event === "STOP") {
      guestStatus(qmp).then(
        (status) => livingStates.has(status) || resolve({ held: true, how: `QEMU stopped it (${status})` }),
        () => undefined,
      );
    }
  });
  qmp.closed.then(() => resolve({ held: false, how: "its QEMU process ended" }));
  return promise;
}

function describeShutdown(reason: unknown): string {
  if (reason === "guest-reset" || reason === "guest-shutdown") return "it shut down or its kernel panicked";
  return typeof reason === "string" ? `it ended (${reason})` : "it ended";
}

export async function guestStatus(qmp: Qmp): Promise<string> {
  return statusSchema.parse(await qmp.execute("query-status")).status;
}

export function hasEnded(status: string): boolean {
  return endedStates.has(status);
}

export function isLiving(status: string): boolean {
  return livingStates.has(status);
}

/**
 * Ends every process of a box, those that were never written down as well, and removes its sockets, its record and the disk for transfers; its own disk stays.
 * The helpers end by themselves once QEMU has, and get a moment to do so.
 */
export async function endProcesses(boxDir: string, known: readonly ProcessRef[]): Promise<void> {
  const [qemu, ...helpers] = known;
  if (qemu !== undefined) await killAll([qemu]);
  await Promise.all(
    helpers.map(async (helper) => {
      if (await waitUntilGone(helper, 300)) return;
      signalProcess(helper, "SIGTERM");
      if (!(await waitUntilGone(helper, 1000))) await killAll([helper]);
    }),
  );
  // One that is being killed may have started another just before.
  for (let round = 0; round < 5; round++) {
    const left = await findBoxProcesses(boxDir);
    if (left.length === 0) break;
    await killAll(left);
  }
  const names = await readdir(boxDir).catch(() => []);
  const stale = names.filter(
    (name) =>
      name === boxFiles.socketDir ||
      name === boxFiles.bulk ||
      name.endsWith(".sock") ||
      name.startsWith(boxFiles.record),
  );
  await Promise.all(stale.map((name) => rm(join(boxDir, name), { recursive: true, force: true })));
}
