import { createHash, randomBytes } from "node:crypto";
import { BoxRunError } from "@boxrun/contract";
import type { BoxSpec } from "@boxrun/core";
import { fromAgent } from "./errors.ts";
import type { AgentLine } from "./line.ts";
import { okSchema, type SetupMessage } from "./messages.ts";
import { requestJson } from "./requests.ts";

/** Loading modules and mounting, with an emulated CPU on a busy host. */
const setUpLimitMs = 60_000;

/** What the VM has for this box: which drivers, disks, shares and card. */
export type VmDevices = Pick<SetupMessage, "modules" | "root" | "bulk" | "volumes" | "network">;

/** Of a box. */
interface Identity {
  readonly hostname: string;
  /** 32 hexadecimal digits. */
  readonly machineId: string;
  readonly workdir: string;
}

/**
 * Makes a VM whose agent has greeted into all of this box but what its owner says, which `setUpVm` then does in a fraction of the time; or into a template of boxes, to be saved so. It
 * is done twice, with `use` between: what a guest does for the second time finds the files there, and is quick where its CPU is emulated. RUNTIME_ERROR as of `setUpVm`.
 */
export async function prepareVm(
  line: AgentLine,
  boxId: string,
  devices: VmDevices,
  use: () => Promise<void>,
): Promise<void> {
  const as = async (hostname: string) => {
    const identity = { hostname, machineId: machineIdOf(boxId), workdir: "/" };
    await setUp(line, `box ${boxId} ahead of its time`, identity, { ...devices, template: true });
  };
  // Names that differ, so that both are written, and no longer than any box's, which then has nothing to cut off.
  await as("a");
  await use();
  await as("b");
}

/**
 * Makes a VM whose agent has greeted into this box: sets its clock, seeds its random generator, loads the drivers, mounts image, disk and volumes. Nothing
 * before this call is the box's own. RUNTIME_ERROR: one that does not answer is no box yet, and is given up.
 */
export async function setUpVm(
  line: AgentLine,
  box: Pick<BoxSpec, "id" | "hostname" | "workdir">,
  devices: VmDevices,
): Promise<void> {
  const identity = { hostname: box.hostname, machineId: machineIdOf(box.id), workdir: box.workdir };
  await setUp(line, `box ${box.id}`, identity, devices);
}

/** The same at each start. */
function machineIdOf(boxId: string): string {
  return createHash("sha256").update(`machine ${boxId}`).digest("hex").slice(0, 32);
}

async function setUp(
  line: AgentLine,
  what: string,
  { hostname, machineId, workdir }: Identity,
  devices: VmDevices & Pick<SetupMessage, "template">,
): Promise<void> {
  const body: SetupMessage = {
    hostname,
    machine_id: machineId,
    unix_ns: unixNs(),
    entropy: randomBytes(64).toString("base64"),
    workdir,
    ...devices,
  };
  try {
    await requestJson(line, "POST", "/setup", okSchema, { body, limitMs: setUpLimitMs, repeatable: true });
    // The first word to a VM takes its time to get there, and this one does not. Nobody waits for it.
    requestJson(line, "POST", "/clock", okSchema, { body: { unix_ns: unixNs() } }).catch(() => undefined);
  } catch (error) {
    const failure = fromAgent(`set up ${what}`, error);
    if (failure instanceof BoxRunError && failure.code !== "BOX_UNREACHABLE") throw failure;
    throw new BoxRunError("RUNTIME_ERROR", failure.message, { cause: error });
  }
}

function unixNs(): string {
  return (BigInt(Date.now()) * 1_000_000n).toString();
}
