import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostBootId, type ProcessRef, processRefSchema } from "@boxrun/host";
import { z } from "zod";
import { boxFiles } from "./command-line.ts";

/** `vm.json`: what the next server needs to take over a VM that outlived this one. Absent when the box is not running. */
const vmRecordSchema = z.object({
  version: z.literal(1),
  /** Pids mean nothing after the host has booted anew. */
  hostBootId: z.string(),
  qemu: processRefSchema,
  /** Network filter and volume servers, which live and die with QEMU. */
  helpers: z.array(processRefSchema).readonly(),
  /** The agent's, from its greeting; `null` while it has not set up the box. */
  guestBootId: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .nullable(),
  /** The VM has the disk for transfers. */
  bulk: z.boolean().optional(),
});
export type VmRecord = z.infer<typeof vmRecordSchema>;

export async function writeVmRecord(boxDir: string, record: Omit<VmRecord, "version" | "hostBootId">): Promise<void> {
  const file = join(boxDir, boxFiles.record);
  const full: VmRecord = { version: 1, hostBootId: hostBootId(), ...record };
  await writeFile(`${file}.new`, JSON.stringify(full));
  await rename(`${file}.new`, file);
}

/** `undefined` if there is none, it can't be read, or it is from before the host's last boot. */
export async function readVmRecord(boxDir: string): Promise<VmRecord | undefined> {
  try {
    const record = vmRecordSchema.parse(JSON.parse(await readFile(join(boxDir, boxFiles.record), "utf8")));
    return record.hostBootId === hostBootId() ? record : undefined;
  } catch {
    return undefined;
  }
}

export function processesOf(record: VmRecord): readonly ProcessRef[] {
  return [record.qemu, ...record.helpers];
}
