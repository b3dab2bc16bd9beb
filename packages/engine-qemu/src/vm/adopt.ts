import { existsSync } from "node:fs";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import type { Adoption } from "@boxrun/core";
import { AgentLine, afterFailure, hearAgain, socketAddress } from "@boxrun/guest-agent";
import { findBoxProcesses, isAlive } from "@boxrun/host";
import { boxFiles, earlierSockets } from "./command-line.ts";
import { guestStatus, hasEnded, isLiving, type RunningQemu, watchGuest } from "./machine.ts";
import { Qmp } from "./qmp.ts";
import { readVmRecord } from "./record.ts";

/** Takes over the VM that an earlier server left running, or says what has become of it. It ends nothing. */
export async function adoptMachine(boxDir: string, signal: AbortSignal): Promise<RunningQemu | Adoption> {
  const record = await readVmRecord(boxDir);
  if (record === undefined) {
    // What is written down may be lost while the VM runs.
    if ((await findBoxProcesses(boxDir)).length === 0) return { state: "dead" };
    return {
      state: "unreachable",
      why: `its processes run, and ${boxFiles.record} does not say which of them is its VM`,
    };
  }
  const { qemu, helpers, guestBootId, bulk: hasBulk = false } = record;
  // One that was not set up yet when the last server ended is not this box: nothing ran in it.
  if (!isAlive(qemu) || guestBootId === null) return { state: "dead" };
  const { agentSocket, qmpSocket } = existsSync(join(boxDir, boxFiles.socketDir)) ? boxFiles : earlierSockets;
  const line = new AgentLine(socketAddress(join(boxDir, agentSocket)), guestBootId);
  let qmp: Qmp | undefined;
  try {
    qmp = await Qmp.connect(join(boxDir, qmpSocket), signal);
    const guestEnd = watchGuest(qmp);
    const status = await guestStatus(qmp);
    if (hasEnded(status)) {
      qmp.close();
      return { state: "dead" };
    }
    if (!isLiving(status)) throw new Error(`QEMU holds it stopped (${status})`);
    await hearAgain(line, signal);
    return { qemu, helpers, qmp, line, guestEnd, hasBulk, qemuEnd: undefined };
  } catch (error) {
    const failure = isAlive(qemu) ? afterFailure(error) : { state: "dead" as const };
    line.end(new BoxRunError("RUNTIME_ERROR", `the VM in ${boxDir} was not taken over`, { cause: error }));
    qmp?.close();
    return failure;
  }
}
