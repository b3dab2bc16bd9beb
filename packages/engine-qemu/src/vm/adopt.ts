import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { AgentLine, helloLimitBytes, helloSchema, requestJson, socketAddress } from "@boxrun/guest-agent";
import { isAlive } from "@boxrun/host";
import { boxFiles } from "./command-line.ts";
import { guestStatus, isLiving, type Machine, watchGuest } from "./machine.ts";
import { Qmp } from "./qmp.ts";
import { readVmRecord } from "./record.ts";

export type Adoption = { readonly machine: Machine } | { readonly why: string };

/** Takes over the VM that an earlier server left running; or says why there is none that could be. It ends nothing. */
export async function adoptMachine(boxDir: string): Promise<Adoption> {
  const record = await readVmRecord(boxDir);
  if (record === undefined) return { why: "no VM of it was running since the host's last boot" };
  if (record.guestBootId === null) return { why: "its VM was not set up when the last server ended" };
  if (!isAlive(record.qemu)) return { why: "its VM ended while no server was there" };
  const line = new AgentLine(socketAddress(join(boxDir, boxFiles.agentSocket)), record.guestBootId);
  let qmp: Qmp | undefined;
  try {
    qmp = await Qmp.connect(join(boxDir, boxFiles.qmpSocket));
    const guestEnd = watchGuest(qmp);
    const status = await guestStatus(qmp);
    if (!isLiving(status)) throw new Error(`QEMU holds it stopped (${status})`);
    const hello = await requestJson(line, "GET", "/hello", helloSchema, {
      repeatable: true,
      limitBytes: helloLimitBytes,
    });
    if (!hello.setup) throw new Error("its agent has not set it up");
    return { machine: { qemu: record.qemu, helpers: record.helpers, qmp, line, guestEnd, qemuEnd: undefined } };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    line.end(new BoxRunError("RUNTIME_ERROR", `take over the VM in ${boxDir}: ${why}`));
    qmp?.close();
    return { why };
  }
}
