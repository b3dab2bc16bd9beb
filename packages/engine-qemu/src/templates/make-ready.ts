import { chown, mkdir, open, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { prepareVm } from "@boxrun/guest-agent";
import { makeBoxDisk } from "../disks/box-disk.ts";
import { copySparse } from "../disks/copy-sparse.ts";
import type { GuestManifest } from "../guest-build/manifest.ts";
import { boxUser } from "../jail/box-user.ts";
import { resumeKept } from "../vm/cold-boot.ts";
import { boxFiles } from "../vm/command-line.ts";
import { devicesOf } from "../vm/set-up.ts";
import { warmUp } from "../vm/warm-up.ts";
import { planOf, type TemplatePlan } from "./make.ts";
import { endMachine, saveAndEnd } from "./save.ts";
import { templateFiles } from "./store.ts";

/** With which all new boxes begin that have them. */
export interface BoxContents {
  /** A squashfs file, and what stands for its layout. */
  readonly image: { readonly file: string; readonly layout: string };
  readonly diskSizeGb: number;
  readonly manifest: GuestManifest;
}

/** A bare template's two halves. */
interface Bare {
  /** An open file. */
  readonly memory: number;
  readonly state: Uint8Array;
}

/**
 * Goes on from a bare template with an image and a new disk, makes all of a box but its identity, and saves that in `dir`, with the disk: a new box needs neither a file system
 * made nor any mounted. Nothing runs any more when this ends.
 */
export async function makeReadyTemplate(
  plan: TemplatePlan,
  { image, diskSizeGb, manifest }: BoxContents,
  bare: Bare,
  dir: string,
  signal: AbortSignal,
): Promise<void> {
  const files = [templateFiles.memory, boxFiles.disk].map((name) => join(dir, name));
  const [memoryFile = "", disk = ""] = files;
  await copySparse(bare.memory, memoryFile, signal);
  await mkdir(join(dir, boxFiles.socketDir), { mode: 0o700 });
  await symlink(image.file, join(dir, boxFiles.image));
  await makeBoxDisk(disk, diskSizeGb, signal);
  const user = boxUser(dir);
  if (user !== undefined) await chown(memoryFile, user, user);
  await using memory = await open(memoryFile, "r+");
  const kept = { use: "go-on" as const, memory: memory.fd, state: bare.state };
  const machine = await resumeKept({ ...planOf(plan), boxDir: dir, kept }, signal);
  try {
    const { network, volumes } = plan.shape;
    const nobody = { id: "template", network: network !== undefined, volumes: [] };
    const devices = devicesOf(nobody, manifest, volumes !== undefined);
    await prepareVm(machine.line, "template", devices, () => warmUp(machine.line, "template", signal));
  } catch (error) {
    await endMachine(machine, dir);
    throw error;
  }
  await saveAndEnd(machine, dir, signal);
  await rm(join(dir, boxFiles.image));
  await rename(disk, join(dir, templateFiles.disk));
  if (user !== undefined)
    for (const name of [templateFiles.memory, templateFiles.disk]) await chown(join(dir, name), 0, 0);
}
