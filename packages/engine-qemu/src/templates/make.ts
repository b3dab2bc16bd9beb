import { chown, mkdir, open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { boxUser } from "../jail/box-user.ts";
import { type BootPlan, coldBoot } from "../vm/cold-boot.ts";
import { boxDisks, boxFiles } from "../vm/command-line.ts";
import { saveAndEnd } from "./save.ts";
import { templateFiles } from "./store.ts";

/** What a box's plan has besides the box. */
export type TemplatePlan = Omit<BootPlan, "boxId" | "boxDir" | "volumes" | "kept">;

/** Bytes of the empty disks that a template's VM has in place of a box's. Their drivers are loaded after the resume. */
const placeholderBytes = 1 << 20;

/** Boots a VM of this shape that is nobody's box, and saves it in `dir`: its memory, and the rest of its state. Nothing runs any more when this ends. */
export async function makeTemplate(plan: TemplatePlan, dir: string, signal: AbortSignal): Promise<void> {
  const file = join(dir, templateFiles.memory);
  await using memory = await open(file, "wx+", 0o600);
  await memory.truncate(plan.shape.memoryMb * 1024 * 1024);
  const user = boxUser(dir);
  // QEMU opens its memory by a path.
  if (user !== undefined) await chown(file, user, user);
  await mkdir(join(dir, boxFiles.socketDir), { mode: 0o700 });
  const disks = [boxFiles.image, boxFiles.disk].map((name) => join(dir, name));
  for (const disk of disks) await writeFile(disk, Buffer.alloc(placeholderBytes));
  const kept = { use: "save" as const, memory: memory.fd };
  const machine = await coldBoot({ ...planOf(plan), boxDir: dir, kept }, signal);
  await saveAndEnd(machine, dir, signal);
  for (const disk of disks) await rm(disk);
  if (user !== undefined) await chown(file, 0, 0);
}

/** What a template's VM has in common with every other's. */
export function planOf(plan: TemplatePlan): Omit<BootPlan, "boxDir"> {
  const { network, volumes } = plan.shape;
  const shape = {
    ...plan.shape,
    disks: boxDisks,
    ...(network && { network: { ...network, line: "none" as const } }),
    ...(volumes !== undefined && { volumes: 0 }),
    name: "boxrun-template",
  };
  return { ...plan, boxId: "template", shape, volumes: [] };
}
