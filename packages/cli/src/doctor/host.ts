import { accessSync, constants, existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { bytes } from "../output/text.ts";
import { type Check, fail, ok, reason, warn } from "./check.ts";

const neededNodeMajor = 24;

export function checkNode(): Check {
  const major = Number(process.versions.node.split(".")[0]);
  const what = `${process.version} (${process.execPath})`;
  return major >= neededNodeMajor
    ? ok("node", what)
    : fail("node", `${what} is too old`, `Install Node ${neededNodeMajor} or newer.`);
}

export function checkMachine(): Check {
  const what = `${availableParallelism()} CPUs, ${bytes(totalmem())} memory`;
  return totalmem() >= 2e9 ? ok("machine", what) : warn("machine", what, "Boxes of 1 GB need some memory beside them.");
}

/** Only whether it can be tried; whether a guest boots with it is the engine's to find out. */
export function checkKvm(): Check {
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

interface Tool {
  readonly name: string;
  readonly what: string;
  /** Debian's. */
  readonly package: string;
  readonly needed: boolean;
  readonly extraFolders?: readonly string[];
}

const sbin = ["/usr/sbin", "/sbin"];
const tools: readonly Tool[] = [
  { name: "qemu-system-x86_64", what: "runs the boxes", package: "qemu-system-x86", needed: true },
  { name: "mkfs.ext4", what: "makes their disks", package: "e2fsprogs", needed: true, extraFolders: sbin },
  { name: "sqfstar", what: "makes disks of images", package: "squashfs-tools", needed: true },
  { name: "skopeo", what: "pulls images", package: "skopeo", needed: false },
  { name: "passt", what: "boxes with --network", package: "passt", needed: false },
  {
    name: "virtiofsd",
    what: "boxes with --volume",
    package: "virtiofsd (Debian 12: qemu-system-common)",
    needed: false,
    extraFolders: ["/usr/libexec", "/usr/lib/qemu", "/usr/lib"],
  },
  { name: "bwrap", what: "confines the boxes and what serves their volumes", package: "bubblewrap", needed: false },
];

/** `withQemu`: boxes are to run on QEMU, so that what it needs must be there. */
export function checkTools(withQemu: boolean): Check[] {
  return tools.map((tool) => {
    const path = locate(tool);
    if (path !== undefined) return ok(tool.name, `${path}: ${tool.what}`);
    const advice = `Install the Debian package ${tool.package}: \`sudo apt-get install ${tool.package.split(" ")[0]}\`.`;
    return (tool.needed && withQemu ? fail : warn)(tool.name, `is missing: ${tool.what}`, advice);
  });
}

function locate({ name, extraFolders = [] }: Tool): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...extraFolders].filter((folder) => folder !== "");
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

const lowBytes = 5e9;
const tooLowBytes = 5e8;

export async function checkDiskSpace(stateDir: string): Promise<Check> {
  try {
    const { bavail, bsize } = await statfs(nearestExisting(stateDir));
    const free = bavail * bsize;
    const what = `${bytes(free)} free for ${stateDir}`;
    const advice = "Free some space, `boxrun gc` removes old boxes; or move the state directory with BOXRUN_STATE_DIR.";
    if (free < tooLowBytes) return fail("disk space", what, advice);
    return free < lowBytes ? warn("disk space", what, advice) : ok("disk space", what);
  } catch (error) {
    return warn("disk space", `cannot be told: ${reason(error)}`, "Look at it with `df -h`.");
  }
}

export function nearestExisting(path: string): string {
  let current = path;
  while (!existsSync(current) && dirname(current) !== current) current = dirname(current);
  return current;
}
