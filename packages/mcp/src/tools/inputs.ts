import { z } from "zod";

/** Arguments that several tools have. Limits are the contract's, which the server checks; here stands what a model has to know. */

export const box = z.string().min(1).describe("The box's id or name, as box_create and box_list have it.");

export const command = z
  .string()
  .min(1)
  .describe("A line or a script for `sh -c` in the box: pipes, redirections, && and several lines are fine.");

export const path = z.string().min(1).describe("An absolute path in the box.");

export const execId = z.string().min(1).describe("As exec or exec_start gave it.");

const env = z.record(z.string(), z.string()).optional().describe("Variables for it, beside the box's own.");

/** Where and how a command runs in a box. */
export const programFields = {
  workdir: z.string().optional().describe("An absolute path. Default: the box's own."),
  env,
  user: z.string().optional().describe("`name`, `uid`, `name:group` or `uid:gid`. Default: the image's, mostly root."),
};

/** What a new box is like. */
export const boxFields = {
  image: z
    .string()
    .min(1)
    .default("base")
    .describe(
      'An image reference, or a short name: "base" (small Linux with busybox, bash, jq and make, always there), "python", "node", "golang", "rust", "ubuntu", "alpine".',
    ),
  cpu: z.int().positive().optional().describe("Default: 2."),
  memory_mb: z.int().positive().optional().describe("Default: 1024."),
  disk_size_gb: z.int().positive().optional().describe("Default: 8."),
  network: z.boolean().default(false).describe("Whether it reaches the internet. Default: no network at all."),
  env,
};

const maxTimeoutSeconds = 86_400;

export const timeoutSeconds = (preset: number) =>
  z
    .number()
    .positive()
    .max(maxTimeoutSeconds)
    .default(preset)
    .describe(`It is killed after so long. Default: ${preset}.`);

export const outputLimit = z
  .int()
  .min(200)
  .max(200_000)
  .default(20_000)
  .describe("Characters of each of stdout and stderr; of longer output the middle is left out. Default: 20000.");

/** Fields that were left out are no fields: the contract's types know no `undefined`. */
export function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
