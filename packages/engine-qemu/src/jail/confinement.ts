import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keptFinding, killAll, locateTool, missingTool } from "@boxrun/host";
import { z } from "zod";
import type { Guest } from "../guest-build/locate.ts";
import { type Accelerator, boxFiles, type VmShape } from "../vm/command-line.ts";
import { connectQmp } from "../vm/connect-qmp.ts";
import { type Jail, spawnJailed } from "./jail.ts";
import { findQemuFiles, type QemuFiles, qemuFilesSchema } from "./qemu-files.ts";

/** How this host's boxes are confined; `jail` is missing where they are not. */
export interface Confinement {
  readonly jail: Jail | undefined;
  /** For a person: how, or what is missing. */
  readonly how: string;
}

const trialLimitMs = 10_000;

const keptSchema = z.object({ qemu: qemuFilesSchema, userNamespace: z.boolean(), how: z.string() });

/** A jail where an idle QEMU has started in one, once per host boot and versions installed; else none, and why. */
export async function findConfinement(options: {
  readonly qemu: string;
  readonly guest: Guest;
  readonly accelerator: Accelerator;
  readonly cacheDir: string;
}): Promise<Confinement> {
  const bwrap = locateTool("bwrap");
  if (bwrap === undefined) {
    return unconfined(missingTool("bwrap"));
  }
  const { qemu, guest, accelerator, cacheDir } = options;
  const { hostHelper } = guest;
  const versions = await Promise.all([qemu, bwrap, hostHelper].map(versionOf));
  const version = [...versions, ...permissions(), guest.dir, accelerator, process.getuid?.()].join(" ");
  try {
    const found = await keptFinding(
      { cacheDir, name: "jail", version, parse: (json) => keptSchema.parse(json), keeps: () => true },
      async () => {
        const files = await findQemuFiles(qemu);
        const userNamespace = await tryJails({ bwrap, hostHelper, qemu: files }, guest, accelerator);
        return { qemu: files, userNamespace, how: describe(userNamespace) };
      },
    );
    const { how, ...rest } = found;
    return { jail: { bwrap, hostHelper, ...rest }, how };
  } catch (error) {
    // Not kept: it may work the next time.
    return unconfined(error instanceof Error ? error.message : String(error));
  }
}

function unconfined(why: string): Confinement {
  const who = process.getuid?.() === 0 ? "root, with all that root may" : "this user, with all that it may";
  return { jail: undefined, how: `a box's QEMU runs as ${who}; system calls are filtered: ${why}` };
}

function describe(userNamespace: boolean): string {
  const who = process.getuid?.() === 0 ? "a user of its own for each box" : "this user";
  const lack = userNamespace ? "" : "; without a user namespace of its own, which this host does not allow";
  return `a box's QEMU runs in a jail, as ${who}, without capabilities, network and the host's files${lack}`;
}

/** Whether with a user namespace. Root can do without where the host does not allow one. */
async function tryJails(
  parts: { readonly bwrap: string; readonly hostHelper: string; readonly qemu: QemuFiles },
  guest: Guest,
  accelerator: Accelerator,
): Promise<boolean> {
  try {
    await tryJail({ ...parts, userNamespace: true }, guest, accelerator);
    return true;
  } catch (error) {
    if (process.getuid?.() !== 0) throw error;
    try {
      await tryJail({ ...parts, userNamespace: false }, guest, accelerator);
      return false;
    } catch {
      throw error;
    }
  }
}

/** Starts a QEMU with all its devices and a guest that does not run, and ends it. */
async function tryJail(jail: Jail, { kernel, initramfs }: Guest, accelerator: Accelerator): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "boxrun-jail-"));
  const shape: VmShape = {
    ...{ accelerator, kernel, initramfs, cpu: 1, memoryMb: 64, tscKhz: undefined },
    ...{ disks: undefined, network: undefined, volumes: undefined, name: "boxrun-jail" },
  };
  try {
    await mkdir(join(dir, boxFiles.socketDir));
    const process = await spawnJailed(jail, shape, dir, { extraArgs: ["-S"] });
    try {
      const qmp = await connectQmp(join(dir, boxFiles.qmpSocket), process, AbortSignal.timeout(trialLimitMs));
      await Promise.race([qmp.execute("quit"), qmp.closed]);
      qmp.close();
    } finally {
      await killAll([process.ref]);
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Where the host says who may make namespaces: it may change its mind. */
function permissions(): readonly string[] {
  const settings = ["user/max_user_namespaces", "kernel/unprivileged_userns_clone"];
  return [...settings, "kernel/apparmor_restrict_unprivileged_userns"].map((name) => {
    try {
      return readFileSync(`/proc/sys/${name}`, "utf8").trim();
    } catch {
      return "none";
    }
  });
}

/** Stands for a program's version; asking the program itself would take longer. */
async function versionOf(path: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(path);
  return `${path} ${mtimeMs} ${size} ${ino}`;
}
