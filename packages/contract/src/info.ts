import { z } from "zod";
import { boxStatuses } from "./names.ts";

export const engineInfoSchema = z.object({
  name: z.string(),
  /** `kvm`, `hvf`, `tcg`, … */
  accelerator: z.string(),
  ready: z.boolean(),
  /** Why this engine and accelerator, or why it is not ready. */
  why: z.string(),
  capabilities: z.array(z.string()),
});
export type EngineInfo = z.infer<typeof engineInfoSchema>;

export const infoSchema = z.object({
  max_cpu: z.int(),
  max_memory_mb: z.int(),
  version: z.string(),
  engine: engineInfoSchema,
  used_cpu: z.int(),
  used_memory_mb: z.int(),
  /** How many boxes there are in each state. */
  boxes: z.record(z.enum(boxStatuses), z.int()),
});
export type Info = z.infer<typeof infoSchema>;

export const gcRequestSchema = z.strictObject({
  /** Seconds since the box was stopped. */
  older_than: z.number().nonnegative().default(3600),
});
export const gcResponseSchema = z.object({ removed: z.int() });
export type GcResponse = z.infer<typeof gcResponseSchema>;

/** `GET /healthz`. */
export const healthSchema = z.object({ status: z.literal("ok"), version: z.string() });
export type Health = z.infer<typeof healthSchema>;
