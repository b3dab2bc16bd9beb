import { z } from "zod";
import { imageReferenceSchema, timestampSchema } from "./box.ts";

export const imageSchema = z.object({
  reference: z.string(),
  /** The digest of the image's manifest: `sha256:` and 64 hex digits. */
  digest: z.string(),
  /** Bytes of its layers as they are stored, compressed. */
  size_bytes: z.int(),
  created_at: timestampSchema,
  /** Ships with BoxRun and cannot be removed. */
  builtin: z.boolean(),
});
export type Image = z.infer<typeof imageSchema>;

/** What an image sets for the boxes that are made of it, in its own words; null for what it says nothing of. */
export const imageDefaultsSchema = z.object({
  env: z.record(z.string(), z.string()),
  user: z.string().nullable(),
  workdir: z.string().nullable(),
  entrypoint: z.array(z.string()).nullable(),
  cmd: z.array(z.string()).nullable(),
});
export type ImageDefaults = z.infer<typeof imageDefaultsSchema>;

export const imageDetailsSchema = imageSchema.extend({
  /** As the image says, `linux/amd64`; "unknown" if it says nothing. */
  platform: z.string(),
  config: imageDefaultsSchema,
  /** The names of the programs in its PATH, sorted. Only of the image that ships with BoxRun. */
  programs: z.array(z.string()).optional(),
});
export type ImageDetails = z.infer<typeof imageDetailsSchema>;

export const pullImageRequestSchema = z.strictObject({ reference: imageReferenceSchema });

/**
 * Progress of `POST /v1/images:pull`, as server-sent events.
 *
 * | event      | data                                                             | how many |
 * |------------|------------------------------------------------------------------|----------|
 * | `progress` | `{"message", "layer"?, "done_bytes"?, "total_bytes"?}`           | any      |
 * | `done`     | the Image                                                        | 1, last  |
 * | `error`    | `{"code", "message"}`                                            | 1, last  |
 */
export const pullProgressSchema = z.object({
  message: z.string(),
  layer: z.string().optional(),
  done_bytes: z.int().optional(),
  total_bytes: z.int().optional(),
});
export type PullProgress = z.infer<typeof pullProgressSchema>;

/** `POST /v1/boxes/{id}:commit`. */
export const commitRequestSchema = z.strictObject({
  /** What to call the image. */
  reference: imageReferenceSchema,
  /** Whether it may take the name of an image that is here. Boxes that were made of that one keep it. */
  replace: z.boolean().default(false),
});
export type CommitRequest = z.output<typeof commitRequestSchema>;

export const importImageQuerySchema = z.strictObject({
  /** The name to give it, where the archive has none or another is wanted. */
  reference: imageReferenceSchema.optional(),
});
