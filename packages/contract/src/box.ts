import { z } from "zod";
import { boxIdSchema, boxNameSchema } from "./ids.ts";
import { labelQuerySchema, labelsSchema } from "./labels.ts";
import { lifetimeFields, onExpirySchema } from "./lifetime.ts";
import { boxStatuses } from "./names.ts";
import { pageQuerySchema } from "./pages.ts";
import { secretEnvSchema } from "./secret-env.ts";

const positive = "must be a positive integer";
export const positiveInteger = z
  .int({ error: ({ code, input }) => (code === "invalid_type" && input !== undefined ? positive : undefined) })
  .positive(positive);

export const absolutePathSchema = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/, "must be an absolute path");

const environmentSchema = z.record(
  z.string().regex(/^[^=\0]+$/, "must be a variable name: not empty, without '=' and NUL"),
  z.string().regex(/^[^\0]*$/, "must not contain NUL"),
);
export type Environment = z.infer<typeof environmentSchema>;

export const volumeRequestSchema = z.strictObject({
  host_path: absolutePathSchema,
  guest_path: absolutePathSchema,
  readonly: z.boolean().default(false),
});
/** As it is sent: a later server may say more about it. */
export const volumeSchema = z.object(volumeRequestSchema.shape);
export type Volume = z.infer<typeof volumeSchema>;

/** A TCP port of the server's host that leads to one of a box, for as long as the box runs. */
export const publishPortRequestSchema = z.strictObject({
  guest_port: z.int().min(1).max(65_535),
  /** 0: one that is free; the box says which. */
  host_port: z.int().min(0).max(65_535).default(0),
  /** Where on the host. Whoever reaches that reaches the service: on loopback every user of the host. */
  host_ip: z.union([z.ipv4(), z.ipv6()]).default("127.0.0.1"),
});
/** As it is sent: a later server may say more about it. */
export const publishedPortSchema = z.object({
  guest_port: z.int(),
  host_port: z.int(),
  host_ip: z.string(),
});
export type PublishedPort = z.infer<typeof publishedPortSchema>;

export const imageReferenceSchema = z.string().min(1).max(512);

/** `POST /v1/boxes`. Every default of the contract stands here. */
export const createBoxRequestSchema = z.strictObject({
  image: imageReferenceSchema,
  name: boxNameSchema.nullish(),
  cpu: positiveInteger.max(255).default(2),
  memory_mb: positiveInteger.max(16_777_216).default(1024),
  disk_size_gb: positiveInteger.max(16_384).default(8),
  network: z.boolean().default(false),
  /** Default: the image's own working directory, else `/root`. */
  workdir: absolutePathSchema.nullish(),
  env: environmentSchema.nullish(),
  /** Which variables of `env` are shown as `***`, wherever the box is shown: only `?show_secrets=true` of a box or a list has their values. */
  secret_env: secretEnvSchema.nullish(),
  volumes: z.array(volumeRequestSchema).max(64).nullish(),
  ports: z.array(publishPortRequestSchema).max(64).nullish(),
  labels: labelsSchema.refine((labels) => Object.keys(labels).length <= 64, "at most 64 labels").nullish(),
  ...lifetimeFields,
});
/** As a caller writes it: everything with a default may be left out. */
export type CreateBoxInput = z.input<typeof createBoxRequestSchema>;
/** As the server reads it: defaults filled in. */
export type CreateBoxRequest = z.output<typeof createBoxRequestSchema>;

export const defaultWorkdir = "/root";

export const boxStatusSchema = z.enum(boxStatuses);
export type BoxStatus = z.infer<typeof boxStatusSchema>;

/** RFC 3339 in UTC, with milliseconds. */
export const timestampSchema = z.iso.datetime();

export const boxSchema = z.object({
  id: boxIdSchema,
  name: z.string().nullable(),
  status: boxStatusSchema,
  /** The resolved reference: `python` becomes `python:3.12-slim`. */
  image: z.string(),
  cpu: z.int(),
  memory_mb: z.int(),
  disk_size_gb: z.int(),
  network: z.boolean(),
  workdir: z.string(),
  env: environmentSchema.nullable(),
  /** Names in `env` whose values are shown as `***`; missing if there are none. */
  secret_env: secretEnvSchema.optional(),
  volumes: z.array(volumeSchema).nullable(),
  /** The engine's own id of the box, whatever the engine. */
  boxlite_id: z.string().nullable(),
  error_code: z.string().nullable(),
  error_message: z.string().nullable(),
  created_at: timestampSchema,
  started_at: timestampSchema.nullable(),
  stopped_at: timestampSchema.nullable(),
  engine: z.string(),
  image_digest: z.string().nullable(),
  /** The ports of the host that lead into it while it runs; missing if there are none. */
  ports: z.array(publishedPortSchema).optional(),
  /** Missing if there are none. */
  labels: labelsSchema.optional(),
  /** When it is stopped or removed, as `on_expiry` says; missing if never. A box that was stopped by then keeps it, as long as it is not started. */
  expires_at: timestampSchema.optional(),
  on_expiry: onExpirySchema.optional(),
  /** Why a box that runs does not answer at the moment; missing if it does. */
  unreachable: z.string().optional(),
  /** What of a box that runs does not work at the moment, though it does itself: its network, a volume; missing if all works. */
  impaired: z.string().optional(),
});
export type Box = z.infer<typeof boxSchema>;

export const stopBoxQuerySchema = z.strictObject({
  /** What programs get between SIGTERM and SIGKILL. Default: 10 s. */
  timeout_ms: z.coerce.number().int().nonnegative().max(600_000).optional(),
});

/** A box that was stopped just now, and how that went. */
export const stoppedBoxSchema = boxSchema.extend({
  /** The processes that had to be killed, as the box has told. */
  killed: z.array(z.object({ pid: z.int(), name: z.string() })).optional(),
  /** The VM was ended without its agent's word that everything in it had ended: what it had only in memory is lost. */
  forced: z.boolean().optional(),
});
export type StoppedBox = z.infer<typeof stoppedBoxSchema>;

export const boxListQuerySchema = pageQuerySchema.extend({
  status: z.enum([...boxStatuses, "all"]).optional(),
  label: labelQuerySchema,
  show_secrets: z.stringbool().default(false),
});

export const boxQuerySchema = z.strictObject({ show_secrets: z.stringbool().default(false) });

export const removeBoxQuerySchema = z.strictObject({
  force: z.stringbool().default(false),
});

export const okSchema = z.object({ ok: z.literal(true) });
export type Ok = z.infer<typeof okSchema>;
