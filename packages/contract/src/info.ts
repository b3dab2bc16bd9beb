import { z } from "zod";
import { engineNames } from "./engine-names.ts";
import { boxStatuses } from "./names.ts";

/** How the server came to its engine. */
export const engineChoiceSchema = z.object({
  /** What `BOXRUN_ENGINE` asked for. */
  requested: z.enum(engineNames),
  /** Why `name` makes the boxes here, and how that is known. */
  reason: z.string(),
  /** The engines that `auto` did not take, and why. */
  considered: z.array(z.object({ name: z.string(), why: z.string() })),
});
export type EngineChoice = z.infer<typeof engineChoiceSchema>;

export const engineInfoSchema = z.object({
  name: z.string(),
  /** `kvm`, `tcg`, … */
  accelerator: z.string(),
  ready: z.boolean(),
  /** Why this accelerator, or why it is not ready. */
  why: z.string(),
  /** How a box's processes on the host are confined, and what is missing there; an engine that says nothing leaves it out. */
  confinement: z.object({ complete: z.boolean(), how: z.string() }).optional(),
  capabilities: z.array(z.string()),
  /** A box with less memory does not come up, and is refused. */
  least_memory_mb: z.int().optional(),
  /** What a box's processes take of the host's memory beside the guest's: counted against `max_memory_mb` for each box, and not in `used_memory_mb`. */
  own_memory_mb: z.int().optional(),
  ...engineChoiceSchema.partial().shape,
});
export type EngineInfo = z.infer<typeof engineInfoSchema>;

/** Boxes of one size that are prepared before anybody asks for them. */
export const poolInfoSchema = z.object({
  image: z.string(),
  cpu: z.int(),
  memory_mb: z.int(),
  disk_size_gb: z.int(),
  network: z.boolean(),
  /** How many there should be, and how many are ready. */
  wanted: z.int(),
  ready: z.int(),
  /** Why there are not as many as there should be, where it is more than that they are being prepared. */
  trouble: z.string().optional(),
});
export type PoolInfo = z.infer<typeof poolInfoSchema>;

export const infoSchema = z.object({
  max_cpu: z.int(),
  max_memory_mb: z.int(),
  version: z.string(),
  engine: engineInfoSchema,
  used_cpu: z.int(),
  used_memory_mb: z.int(),
  /** How many boxes there are in each state. */
  boxes: z.record(z.enum(boxStatuses), z.int()),
  /** `true` while the server takes over what the last one left: boxes are shown as that one has known them. */
  recovering: z.boolean().optional(),
  /** What `BOXRUN_POOL` asks for; missing if that is nothing. Prepared boxes count in `used_cpu` and `used_memory_mb`, and not in `boxes`. */
  pool: z.array(poolInfoSchema).optional(),
});
export type Info = z.infer<typeof infoSchema>;

export const gcRequestSchema = z.strictObject({
  /** Seconds since the box was stopped. */
  older_than: z.number().nonnegative().default(3600),
  /** Seconds since a command ended, whose output is given up then. Without it none is. */
  output_older_than: z.number().nonnegative().optional(),
});
export type GcInput = z.input<typeof gcRequestSchema>;
export type GcRequest = z.output<typeof gcRequestSchema>;
export const gcResponseSchema = z.object({
  removed: z.int(),
  /** Of the output that was given up. */
  output_bytes: z.int().optional(),
});
export type GcResponse = z.infer<typeof gcResponseSchema>;

/** `GET /healthz`. */
export const healthSchema = z.object({
  status: z.literal("ok"),
  version: z.string(),
  /** `true` while the server takes over what the last one left; what needs that waits. */
  recovering: z.boolean().optional(),
  /** `true`: a request with an `Idempotency-Key` is done once. Where it isn't there, one whose answer was lost must not be sent again. */
  idempotency_keys: z.boolean().optional(),
});
export type Health = z.infer<typeof healthSchema>;
