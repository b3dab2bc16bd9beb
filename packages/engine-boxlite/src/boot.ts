import { readFile } from "node:fs/promises";
import { BoxRunError } from "@boxrun/contract";
import type { BoxSpec } from "@boxrun/core";
import { AgentLine, type BuiltAgent, ConnectionLost, setUpVm } from "@boxrun/guest-agent";
import { hostBootId, type ProcessRef, signalProcess } from "@boxrun/host";
import type { Layout } from "./layout.ts";
import { nameServers } from "./network.ts";
import { endVm, hostProcesses, vmProcess } from "./processes.ts";
import { Reception } from "./reception.ts";
import { type BoxRecord, type VmRecord, writeBoxRecord } from "./record.ts";
import { type BoxHandle, reasonOf } from "./sdk.ts";

/** BoxLite itself gives a VM 30 s; after that the agent has only to call. */
const agentLimitMs = 30_000;

/** A VM that is up, and the line to its agent. */
export interface RunningVm {
  readonly process: ProcessRef;
  readonly line: AgentLine;
  readonly reception: Reception;
}

export interface BootPlan {
  readonly spec: BoxSpec;
  readonly boxDir: string;
  readonly layout: Layout;
  /** What is written down of it; a VM in it is one that has ended. */
  readonly record: BoxRecord;
  /** The agent that it is to have. */
  readonly agent: BuiltAgent;
  readonly signal: AbortSignal;
}

/**
 * Boots the VM of a box that is not running, and makes what is in it this box. On failure, or if `signal` aborts, the VM's process is
 * ended and waited for.
 */
export async function boot(plan: BootPlan, box: BoxHandle): Promise<RunningVm> {
  const { spec, boxDir, layout, record, agent, signal } = plan;
  let reception: Reception | undefined;
  let line: AgentLine | undefined;
  const giveUp = () => line?.end(new BoxRunError("CANCELED", `set up box ${spec.id}: given up`));
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    const isOld = record.agentKey !== undefined && record.agentKey !== agent.key;
    const successor = isOld ? await readFile(agent.file) : undefined;
    await startVm(box, signal);
    // At once, because the agent is calling by now.
    reception = await Reception.open(layout.callSocket(box.id), { successor });
    line = new AgentLine(reception);
    const process = vmProcess(box.id);
    if (process === undefined) throw new BoxRunError("RUNTIME_ERROR", "BoxLite started it, and its VM ended at once");
    await answerAgent(line, AbortSignal.any([signal, AbortSignal.timeout(agentLimitMs)]));
    await setUp(line, spec);
    const { secret } = reception;
    const guestBootId = line.bootId;
    if (secret === undefined || guestBootId === undefined) {
      throw new BoxRunError("RUNTIME_ERROR", `boot box ${spec.id}: its agent has not called`);
    }
    const vm: VmRecord = { hostBootId: hostBootId(), process, guestBootId, secret: secret.toString("hex") };
    await writeBoxRecord(boxDir, { ...record, vm });
    signal.throwIfAborted();
    return { process, line, reception };
  } catch (error) {
    line?.end(new BoxRunError("RUNTIME_ERROR", `box ${spec.id} could not be set up`));
    reception?.close();
    await endVm(box.id);
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

/** The call can't be taken back: an abort ends the VM's processes, and BoxLite then gives up. */
async function startVm(box: BoxHandle, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let killing: NodeJS.Timeout | undefined;
  const kill = () => {
    for (const process of hostProcesses(box.id)) signalProcess(process, "SIGKILL");
    // One of them may be starting the next.
    killing = setTimeout(kill, 20);
  };
  signal.addEventListener("abort", kill);
  try {
    await box.start();
  } catch (error) {
    signal.throwIfAborted();
    throw new BoxRunError("RUNTIME_ERROR", `BoxLite could not start it: ${reasonOf(error)}`, { cause: error });
  } finally {
    signal.removeEventListener("abort", kill);
    clearTimeout(killing);
  }
}

/** A call that was answered too late is over by then, and the agent calls again. */
async function answerAgent(line: AgentLine, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      return await line.open(signal);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      signal.throwIfAborted();
    }
  }
}

async function setUp(line: AgentLine, spec: BoxSpec): Promise<void> {
  await setUpVm(line, spec, {
    modules: [],
    root: { image: "", disk: "" },
    volumes: [],
    // BoxLite has configured all but the name servers.
    network: spec.network ? { address: "", gateway: "", dns: await nameServers(), mac: "" } : null,
  });
}
