import { accessSync, constants, existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { dirname } from "node:path";
import type { Finding } from "@boxrun/contract";
import { packageOf, thisDistribution } from "../distribution.ts";
import { programNames, programOf } from "../programs.ts";
import { locateTool } from "../tools.ts";
import { fail, ok, reason, warn } from "./finding.ts";

const neededNodeMajor = 24;

export function checkNode(): Finding {
  const major = Number(process.versions.node.split(".")[0]);
  const what = `${process.version} (${process.execPath})`;
  return major >= neededNodeMajor
    ? ok("node", what)
    : fail("node", `${what} is too old`, `Install Node ${neededNodeMajor} or newer.`);
}

export function checkMachine(): Finding {
  const what = `${availableParallelism()} CPUs, ${gigabytes(totalmem())} memory`;
  return totalmem() >= 2e9 ? ok("machine", what) : warn("machine", what, "Boxes of 1 GB need some memory beside them.");
}

/** Only whether it can be tried; whether a guest boots with it is the engine's to find out. */
export function checkKvm(): Finding {
  if (process.platform !== "linux") {
    const advice =
      "Run it on a Linux host, and reach it from here: `boxrun context add NAME https://…`, or BOXRUN_HOST.";
    return fail("kvm", `the server runs on Linux; this is ${process.platform}`, advice);
  }
  const device = "/dev/kvm";
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return ok("kvm", `${device} is there for us; the server tries whether guests boot with it`);
  } catch {
    return existsSync(device)
      ? warn(
          "kvm",
          `${device} is there, but not for this user: CPUs are emulated, several times slower`,
          `Join its group: \`sudo usermod -aG kvm ${process.env.USER ?? "$USER"}\`, then log in again.`,
        )
      : warn(
          "kvm",
          `there is no ${device}: CPUs are emulated, several times slower`,
          "Turn on virtualisation (VT-x, AMD-V) in the BIOS, or nested virtualisation where this host is a VM itself; modprobe kvm_intel or kvm_amd.",
        );
  }
}

/** `withQemu`: boxes are to run on QEMU, so that what it needs must be there. */
export function checkTools(withQemu: boolean): Finding[] {
  const distribution = thisDistribution();
  return programNames.map((name) => {
    const { purpose, needed } = programOf(name);
    const path = locateTool(name);
    if (path !== undefined) return ok(name, `${path}: ${purpose}`);
    const found = packageOf(name, distribution);
    const advice =
      found === undefined
        ? `No package of ${distribution.name} is known to have it.`
        : `\`boxrun setup\` says how to install the package ${found}.`;
    return (needed && withQemu ? fail : warn)(name, `is missing: ${purpose}`, advice);
  });
}

const lowBytes = 5e9;
const tooLowBytes = 5e8;

export async function checkDiskSpace(stateDir: string): Promise<Finding> {
  try {
    const { bavail, bsize } = await statfs(nearestExisting(stateDir));
    const free = bavail * bsize;
    const what = `${gigabytes(free)} free for ${stateDir}`;
    const advice = "Free some space, `boxrun gc` removes old boxes; or move the state directory with BOXRUN_STATE_DIR.";
    if (free < tooLowBytes) return fail("disk space", what, advice);
    return free < lowBytes ? warn("disk space", what, advice) : ok("disk space", what);
  } catch (error) {
    return warn("disk space", `cannot be told: ${reason(error)}`, "Look at it with `df -h`.");
  }
}

function gigabytes(count: number): string {
  return `${(count / 1e9).toFixed(1)} GB`;
}

export function nearestExisting(path: string): string {
  let current = path;
  while (!existsSync(current) && dirname(current) !== current) current = dirname(current);
  return current;
}
