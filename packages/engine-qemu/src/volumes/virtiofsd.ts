import { realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import type { VolumeSpec } from "@boxrun/core";
import { locateTool, missingTool, run } from "@boxrun/host";
import { type DetachedProcess, spawnDetached } from "../host/detached.ts";
import { waitUntilListening } from "../host/listening.ts";
import type { BoxCgroup } from "../host/started-in.ts";
import { boxFiles } from "../vm/command-line.ts";

/** How this host can share directories with boxes, or why it can't. */
export type VolumeSupport =
  | { readonly kind: "c"; readonly virtiofsd: string; readonly bwrap: string }
  | RustVirtiofsd
  | { readonly kind: "none"; readonly why: string };

interface RustVirtiofsd {
  readonly kind: "rust";
  readonly virtiofsd: string;
  readonly allowMmap: boolean;
  readonly modcaps: boolean;
}

/**
 * Root in a box owns what it makes in a volume, on the host too, and must not make what would give a user of the host root's powers. So
 * the process that serves it can make no device node and no setuid or setgid file, by a filter of system calls (host-helper/special_files.go),
 * has no capability for device nodes and for capabilities of files, and loses these bits of a file that it writes, as any user would.
 */
const withoutSpecialFiles = ["confine", "-no-special-files"] as const;
const droppedCapabilities = "-mknod:-setfcap:-fsetid";

let known: Promise<VolumeSupport> | undefined;

/** What is found is found once per process; what is missing may be there the next time. */
export async function volumeSupport(): Promise<VolumeSupport> {
  known ??= findSupport();
  const found = await known;
  if (found.kind === "none") known = undefined;
  return found;
}

/** Two programs have this name: QEMU's own in C (until 7.2, Debian 12), and its successor in Rust (Debian 13). */
async function findSupport(): Promise<VolumeSupport> {
  const virtiofsd = locateTool("virtiofsd");
  if (virtiofsd === undefined) {
    return { kind: "none", why: missingTool("virtiofsd") };
  }
  let help: string;
  try {
    help = await run(virtiofsd, ["--help"], { operation: "ask virtiofsd for its options" });
  } catch (error) {
    return { kind: "none", why: error instanceof Error ? error.message : String(error) };
  }
  if (help.includes("--shared-dir")) {
    if (help.includes("--readonly")) {
      return {
        ...{ kind: "rust", virtiofsd },
        allowMmap: help.includes("--allow-mmap"),
        modcaps: help.includes("--modcaps"),
      };
    }
    return { kind: "none", why: `${virtiofsd} is too old to share a directory read-only; version 1.11 or later can` };
  }
  if (process.getuid?.() !== 0) return { kind: "none", why: `${virtiofsd} needs root, and this server runs without` };
  const bwrap = locateTool("bwrap");
  if (bwrap === undefined) return { kind: "none", why: missingTool("bwrap") };
  return { kind: "c", virtiofsd, bwrap };
}

/** Starts the server of one volume. It ends when QEMU hangs up. NOT_SUPPORTED if this host can't share directories. */
export async function startVolume(
  volume: VolumeSpec,
  index: number,
  boxDir: string,
  hostHelper: string,
  cgroup: BoxCgroup | undefined,
  signal: AbortSignal,
): Promise<DetachedProcess> {
  const support = await volumeSupport();
  if (support.kind === "none") {
    throw new BoxRunError("NOT_SUPPORTED", `share ${volume.hostPath} with the box: ${support.why}`);
  }
  const directory = await resolveDirectory(volume.hostPath);
  const socket = join(boxDir, boxFiles.volumeSocket(index));
  const [program, args] =
    support.kind === "c"
      ? [support.bwrap, sandboxed(support.virtiofsd, directory, volume.readonly, socket, boxDir, hostHelper)]
      : [hostHelper, direct(support, directory, volume.readonly, socket)];
  // The process that serves, and not bwrap, which only waits for its end: the one's end is the volume's, the other's is nothing.
  const wrapped = support.kind === "c" ? { wrapped: { beforeGo: () => Promise.resolve() } } : {};
  const process = await spawnDetached(program, args, boxDir, { ...wrapped, cgroup });
  await waitUntilListening(`the volume ${volume.hostPath}`, socket, process, signal);
  return process;
}

/** The directory itself, where the path is a symlink: virtiofsd in Rust refuses to enter one. */
async function resolveDirectory(hostPath: string): Promise<string> {
  try {
    const directory = await realpath(hostPath);
    if ((await stat(directory)).isDirectory()) return directory;
  } catch (error) {
    throw new BoxRunError("RUNTIME_ERROR", `share ${hostPath} with the box: ${String(error)}`, { cause: error });
  }
  throw new BoxRunError("RUNTIME_ERROR", `share ${hostPath} with the box: it is not a directory`);
}

/**
 * The C program has no read-only mode, and its option syntax has no room for commas in a path: it sees the directory as /share
 * in a file system of its own, where a read-only one is mounted read-only. Whatever the guest does, the host's kernel refuses to write.
 */
function sandboxed(
  virtiofsd: string,
  directory: string,
  readonly: boolean,
  socket: string,
  boxDir: string,
  hostHelper: string,
): readonly string[] {
  return [
    ...[
      "--info-fd",
      "3",
      "--ro-bind",
      "/usr",
      "/usr",
      "--symlink",
      "usr/lib",
      "/lib",
      "--symlink",
      "usr/lib64",
      "/lib64",
    ],
    ...[
      "--ro-bind-try",
      "/etc/ld.so.cache",
      "/etc/ld.so.cache",
      "--proc",
      "/proc",
      "--dev",
      "/dev",
      "--tmpfs",
      "/var/run",
    ],
    ...["--bind", boxDir, boxDir],
    ...[readonly ? "--ro-bind" : "--bind", directory, "/share"],
    ...["--ro-bind", hostHelper, "/boxrun-host"],
    ...["--cap-add", "ALL", "--", "/boxrun-host", ...withoutSpecialFiles],
    ...[virtiofsd, `--socket-path=${socket}`, "-f"],
    // Timeout 0: what the host changes is seen by the box's next look.
    ...["-o", "source=/share,sandbox=namespace,cache=auto,timeout=0,xattr,log_level=err"],
    ...["-o", `modcaps=${droppedCapabilities}`],
  ];
}

/** Its `auto` would let the box see old sizes for a second after the host has written: nothing is cached but what programs map. */
function direct(virtiofsd: RustVirtiofsd, directory: string, readonly: boolean, socket: string): readonly string[] {
  return [
    ...[...withoutSpecialFiles, virtiofsd.virtiofsd],
    ...(virtiofsd.modcaps ? [`--modcaps=${droppedCapabilities}`] : []),
    ...["--socket-path", socket, "--shared-dir", directory, "--xattr", "--log-level", "error", "--cache", "never"],
    ...(virtiofsd.allowMmap ? ["--allow-mmap"] : []),
    ...(readonly ? ["--readonly"] : []),
  ];
}
