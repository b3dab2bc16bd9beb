import { z } from "zod";
import { absolutePathSchema } from "./box.ts";

/** The fields of an upload's form, beside its part `file`. */
export const uploadFormSchema = z.object({ dest: absolutePathSchema });

export const uploadResponseSchema = z.object({ ok: z.literal(true), dest: z.string() });
export type UploadResponse = z.infer<typeof uploadResponseSchema>;

export const downloadRequestSchema = z.strictObject({ path: absolutePathSchema });

/** `?archive=tar`: the body is a tar of a directory's content. */
export const archiveQuerySchema = z.strictObject({ archive: z.literal("tar").optional() });

export const pathQuerySchema = z.strictObject({ path: absolutePathSchema });

export const fileEntrySchema = z.object({
  name: z.string(),
  type: z.enum(["file", "dir", "symlink", "other"]),
  /** Bytes. */
  size: z.int(),
  /** Permission bits in octal: "0644". */
  mode: z.string(),
  mtime: z.string(),
  uid: z.int(),
  gid: z.int(),
  /** Where a symlink points. */
  target: z.string().optional(),
});
export type FileEntry = z.infer<typeof fileEntrySchema>;

export const fileListSchema = z.array(fileEntrySchema);
