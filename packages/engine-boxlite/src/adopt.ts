import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import type { Adoption } from "@boxrun/core";
import { AgentLine, afterFailure, hearAgain } from "@boxrun/guest-agent";
import { isAlive } from "@boxrun/host";
import type { RunningVm } from "./boot.ts";
import type { Layout } from "./layout.ts";
import { vmProcess } from "./processes.ts";
import { Reception } from "./reception.ts";
import type { BoxRecord } from "./record.ts";

/** Where an older BoxRun has put what the agent says first: into a share, with the agent. */
const olderSecret = "agent/secret";

/** Takes over the VM that an earlier server left running, or says what has become of it. It ends nothing. */
export async function adoptMachine(
  record: BoxRecord,
  boxDir: string,
  layout: Layout,
  signal: AbortSignal,
): Promise<RunningVm | Adoption> {
  const { vm } = record;
  if (vm === null) {
    if (vmProcess(record.engineId) === undefined) return { state: "dead" };
    return { state: "unreachable", why: "its VM runs, and what its agent says first was not written down" };
  }
  if (!isAlive(vm.process)) return { state: "dead" };
  let reception: Reception | undefined;
  let line: AgentLine | undefined;
  try {
    const secret = vm.secret === undefined ? await readFile(join(boxDir, olderSecret)) : Buffer.from(vm.secret, "hex");
    reception = await Reception.open(layout.callSocket(record.engineId), { secret });
    line = new AgentLine(reception, vm.guestBootId);
    await hearAgain(line, signal);
    return { process: vm.process, line, reception };
  } catch (error) {
    const failure = isAlive(vm.process) ? afterFailure(error) : { state: "dead" as const };
    line?.end(new BoxRunError("RUNTIME_ERROR", `the VM of ${boxDir} was not taken over`, { cause: error }));
    reception?.close();
    return failure;
  }
}
