import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostBootId, processRefSchema } from "@boxrun/host";
import { z } from "zod";

const recordFile = "box.json";

/** `box.json`: what the next server needs to find a box of BoxLite's, and to take over its VM if that runs. */
const boxRecordSchema = z.object({
  version: z.literal(1),
  /** BoxLite's own id. */
  engineId: z.string().regex(/^[A-Za-z0-9]{1,64}$/),
  imageDigest: z.string(),
  /** Of the agent that its image has; `undefined` for a box of an older BoxRun, whose agent comes with a share. */
  agentKey: z.string().optional(),
  /** The VM that runs, or ran when this was written. */
  vm: z
    .object({
      /** Pids mean nothing after the host has booted anew. */
      hostBootId: z.string(),
      process: processRefSchema,
      /** The agent's, from its greeting. */
      guestBootId: z.string().regex(/^[0-9a-f]{32}$/),
      /** What the agent says first when it calls; `undefined` for a VM that an older BoxRun has started. */
      secret: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .optional(),
    })
    .nullable(),
});
export type BoxRecord = Omit<z.infer<typeof boxRecordSchema>, "version">;
export type VmRecord = NonNullable<BoxRecord["vm"]>;

export async function writeBoxRecord(boxDir: string, record: BoxRecord): Promise<void> {
  const file = join(boxDir, recordFile);
  const full: z.infer<typeof boxRecordSchema> = { version: 1, ...record };
  await writeFile(`${file}.new`, JSON.stringify(full), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** `undefined` if there is none or it can't be read. A VM from before the host's last boot is none. */
export async function readBoxRecord(boxDir: string): Promise<BoxRecord | undefined> {
  try {
    const record = boxRecordSchema.parse(JSON.parse(await readFile(join(boxDir, recordFile), "utf8")));
    return record.vm?.hostBootId === hostBootId() ? record : { ...record, vm: null };
  } catch {
    return undefined;
  }
}
