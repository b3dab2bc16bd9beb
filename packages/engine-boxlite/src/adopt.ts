import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { AgentLine, helloLimitBytes, helloSchema, requestJson } from "@boxrun/guest-agent";
import { isAlive } from "@boxrun/host";
import type { Machine } from "./boot.ts";
import type { Layout } from "./layout.ts";
import { Reception } from "./reception.ts";
import type { BoxRecord } from "./record.ts";

/** Where an older BoxRun has put what the agent says first: into a share, with the agent. */
const olderSecret = "agent/secret";

type Adoption = { readonly machine: Machine } | { readonly why: string };

/** Takes over the VM that an earlier server left running; or says why there is none that could be. It ends nothing. */
export async function adoptMachine(record: BoxRecord, boxDir: string, layout: Layout): Promise<Adoption> {
  const { vm } = record;
  if (vm === null) return { why: "no VM of it was running since the host's last boot" };
  if (!isAlive(vm.process)) return { why: "its VM ended while no server was there" };
  let reception: Reception | undefined;
  let line: AgentLine | undefined;
  try {
    const secret = vm.secret === undefined ? await readFile(join(boxDir, olderSecret)) : Buffer.from(vm.secret, "hex");
    reception = await Reception.open(layout.callSocket(record.engineId), { secret });
    line = new AgentLine(reception, vm.guestBootId);
    const hello = await requestJson(line, "GET", "/hello", helloSchema, {
      repeatable: true,
      limitBytes: helloLimitBytes,
    });
    if (!hello.setup) throw new Error("its agent has not set it up");
    return { machine: { process: vm.process, line, reception } };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    line?.end(new BoxRunError("RUNTIME_ERROR", `take over the VM of ${boxDir}: ${why}`));
    reception?.close();
    return { why };
  }
}
