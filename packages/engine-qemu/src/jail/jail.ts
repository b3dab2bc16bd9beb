import { statSync } from "node:fs";
import { chmod, chown, lchown, stat, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { dirname, join } from "node:path";
import { type DetachedProcess, spawnDetached } from "../host/detached.ts";
import type { BoxCgroup } from "../host/started-in.ts";
import { type Accelerator, boxFiles, qemuArgs, type VmShape } from "../vm/command-line.ts";
import { boxUser, everybody } from "./box-user.ts";
import type { BoxLimits } from "./cgroups.ts";
import type { QemuFiles } from "./qemu-files.ts";

/**
 * What is around a box's QEMU, as Firecracker's jailer is around its VMM: a guest that gets into QEMU finds namespaces of its own
 * without any network, a root with nothing in it but QEMU's files and the box's own, no capability and limits. bwrap makes it, and
 * the host helper (`boxrun-host confine`) does the last steps in it and becomes QEMU:
 *
 *     bwrap           waits for the end of
 *       QEMU          process 1 of its namespace
 *
 * Both outlive the server.
 */
export interface Jail {
  readonly bwrap: string;
  readonly hostHelper: string;
  readonly qemu: QemuFiles;
  /** A user namespace of its own: without exception where the server is not root. */
  readonly userNamespace: boolean;
}

/** Where the jail has what QEMU is told by a path. Disks and sockets have the same names in the box's directory and in the jail's root. */
const jailed = { kernel: "/kernel", initramfs: "/initramfs", hostHelper: "/boxrun-host" } as const;

/** Where QEMU finds what it got as descriptors: bwrap's child, for whom `self` is bound, is who becomes QEMU, so they are its own alone. */
export const jailedFiles = "/fd";

/** QEMU's memory beside the guest's: most of it for translated code, where CPUs are emulated, and for the stacks of its threads. */
const ownMemoryMb = 3072;
const ownMemoryPerCpuMb = 16;
/** What a network or a volume may take beside QEMU; a virtiofsd has up to 64 threads. */
const helperMemoryMb = 256;
const helperProcesses = 128;
/** A few dozen are in use with as many volumes and disks as a box can have. */
const openFiles = 1024;
/** Threads count: one for each CPU, up to 64 that wait for disks, and a few. */
const processes = (cpu: number) => 128 + 2 * cpu;
/** From here on Linux counts a user's processes for each user namespace; before, QEMU would be refused threads for what its user does elsewhere. */
const countsInNamespace = [5, 14] as const;

/** Starts QEMU in the jail, with the box's directory made ready for it. RUNTIME_ERROR with bwrap's own words if it can't be made. */
export async function spawnJailed(
  jail: Jail,
  shape: VmShape,
  boxDir: string,
  {
    extraArgs = [],
    files = [],
    cgroup,
  }: {
    readonly extraArgs?: readonly string[];
    readonly files?: readonly number[];
    readonly cgroup?: BoxCgroup | undefined;
  } = {},
): Promise<DetachedProcess> {
  const user = boxUser(boxDir);
  if (user !== undefined) await handOver(shape, boxDir, user);
  const mapsUsers = user !== undefined && jail.userNamespace;
  const inside = qemuArgs({ ...shape, kernel: jailed.kernel, initramfs: jailed.initramfs });
  const args = [
    ...namespaceArgs(jail, shape),
    ...(mapsUsers ? ["--userns-block-fd", "4"] : []),
    ...(user === undefined ? [] : ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"].flatMap((name) => ["--cap-add", name])),
    ...rootArgs(jail, shape, boxDir),
    ...["--", jailed.hostHelper, "confine", ...confineArgs(shape, user), jail.qemu.program, ...inside, ...extraArgs],
  ];
  const wrapped = {
    // bwrap can map only one user, itself: root. All are mapped, for the files of whoever has the state directory are bound, too.
    beforeGo: async (pid: number) => {
      if (!mapsUsers) return;
      await writeFile(`/proc/${pid}/uid_map`, everybody("uid"));
      await writeFile(`/proc/${pid}/gid_map`, everybody("gid"));
    },
  };
  return await spawnDetached(jail.bwrap, args, boxDir, { wrapped, files, cgroup });
}

function namespaceArgs(jail: Jail, shape: VmShape): readonly string[] {
  return [
    ...(jail.userNamespace ? ["--unshare-user"] : []),
    ...["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--as-pid-1"],
    ...["--info-fd", "3", "--cap-drop", "ALL"],
    // A template that is being made is of no use to the next server.
    ...(shape.memory?.use === "written" ? ["--die-with-parent"] : []),
  ];
}

function rootArgs(jail: Jail, shape: VmShape, boxDir: string): readonly string[] {
  const readable = (source: string, target: string) => ["--ro-bind", source, target];
  const disks = Object.values(shape.disks ?? {});
  const devices = shape.accelerator === "kvm" ? ["/dev/kvm"] : [];
  const targets = [jail.qemu.program, ...jail.qemu.directories.map(({ target }) => target), ...devices];
  return [
    // bwrap would make them too, but for itself alone.
    ...[...new Set(targets.flatMap(ancestors))].flatMap((directory) => ["--dir", directory]),
    ...jail.qemu.directories.flatMap(({ source, target }) => readable(source, target)),
    ...readable(jail.qemu.program, jail.qemu.program),
    ...readable(jail.hostHelper, jailed.hostHelper),
    ...readable(shape.kernel, jailed.kernel),
    ...readable(shape.initramfs, jailed.initramfs),
    ...disks.flatMap((name) => [name === boxFiles.image ? "--ro-bind" : "--bind", join(boxDir, name), join("/", name)]),
    ...["--bind", join(boxDir, boxFiles.socketDir), join("/", boxFiles.socketDir)],
    ...devices.flatMap((device) => ["--dev-bind", device, device]),
    ...(shape.memory !== undefined && "path" in shape.memory ? ["--ro-bind", "/proc/self/fd", jailedFiles] : []),
    ...["--chdir", "/", "--remount-ro", "/"],
  ];
}

/** The directories on the way to a path, the root left out, from above. */
function ancestors(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === "/" ? [] : [...ancestors(parent), parent];
}

/** Of all processes of a box together. The network's and each volume's come on top of QEMU's. */
export function limitsOf({ cpu, memoryMb, volumes = 0 }: VmShape): BoxLimits {
  return {
    cpu,
    memoryMb: memoryMb + ownMemoryMb + cpu * ownMemoryPerCpuMb + helperMemoryMb * (1 + volumes),
    processes: processes(cpu) + helperProcesses * (1 + volumes),
  };
}

function confineArgs(shape: VmShape, user: number | undefined): readonly string[] {
  const dataBytes = (shape.memoryMb + ownMemoryMb + shape.cpu * ownMemoryPerCpuMb) * 1024 * 1024;
  return [
    ...["-files", String(openFiles), "-data-bytes", String(dataBytes)],
    ...(user !== undefined || isKernel(countsInNamespace) ? ["-processes", String(processes(shape.cpu))] : []),
    ...(user === undefined ? [] : ["-uid", String(user), ...deviceGroups(shape.accelerator)]),
  ];
}

function isKernel([needMajor, needMinor]: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = release().split(".").map(Number);
  return major > needMajor || (major === needMajor && minor >= needMinor);
}

/** Where not everybody may use /dev/kvm, its group may. */
function deviceGroups(accelerator: Accelerator): readonly string[] {
  if (accelerator !== "kvm") return [];
  const { mode, gid } = statSync("/dev/kvm");
  return (mode & 0o006) === 0o006 ? [] : ["-group", String(gid)];
}

/** Makes what the box's user has to write his, and what it has to read readable: all of it is in directories that only root can enter. */
async function handOver(shape: VmShape, boxDir: string, user: number): Promise<void> {
  await lchown(join(boxDir, boxFiles.socketDir), user, user);
  await makeReadable(shape.kernel);
  await makeReadable(shape.initramfs);
  if (shape.disks === undefined) return;
  await makeReadable(join(boxDir, shape.disks.image));
  // Nobody but root has ever had a hand in this directory: what is written to is no symlink.
  const { disk, bulk } = shape.disks;
  for (const name of [disk, bulk]) await chown(join(boxDir, name), user, user);
}

async function makeReadable(file: string): Promise<void> {
  const { mode } = await stat(file);
  if ((mode & 0o004) === 0) await chmod(file, (mode & 0o777) | 0o044);
}

/** A helper's socket is the helper's: the box's user has to connect to it. */
export async function handOverSocket(boxDir: string, socket: string): Promise<void> {
  const user = boxUser(boxDir);
  if (user !== undefined) await lchown(join(boxDir, socket), user, user);
}

/** When every socket is there, QEMU has nothing to write in their directory any more: nor could a guest in it put a symlink in place of one. */
export async function sealSockets(boxDir: string): Promise<void> {
  if (boxUser(boxDir) === undefined) return;
  const directory = join(boxDir, boxFiles.socketDir);
  await lchown(directory, 0, 0);
  await chmod(directory, 0o755);
}
