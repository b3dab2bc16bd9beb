import { z } from "zod";
import { imageReferenceSchema, timestampSchema } from "./box.ts";

/** Short names for images that people start from. `base` ships with BoxRun and needs no registry. */
export const imageAliases: Readonly<Record<string, string>> = {
  default: "ubuntu:24.04",
  ubuntu: "ubuntu:24.04",
  python: "python:3.12-slim",
  node: "node:22-slim",
  golang: "golang:1.22",
  rust: "rust:1.77-slim",
  alpine: "alpine:3.20",
};

export const baseImageReference = "base";

export function resolveImageAlias(reference: string): string {
  return Object.hasOwn(imageAliases, reference) ? (imageAliases[reference] ?? reference) : reference;
}

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

export const pullPolicies = ["missing", "always", "never"] as const;
export type PullPolicy = (typeof pullPolicies)[number];

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
