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

export const importImageQuerySchema = z.strictObject({
  /** The name to give it, where the archive has none or another is wanted. */
  reference: imageReferenceSchema.optional(),
});
