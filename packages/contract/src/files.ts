import { z } from "zod";
import { absolutePathSchema } from "./box.ts";

/** The fields of an upload's form, beside its part `file`. */
export const uploadFormSchema = z.object({ dest: absolutePathSchema });

export const uploadResponseSchema = z.object({ ok: z.literal(true), dest: z.string() });
export type UploadResponse = z.infer<typeof uploadResponseSchema>;

export const downloadRequestSchema = z.strictObject({ path: absolutePathSchema });

/** `?archive=tar`: the body is a tar of a directory's content. */
const archive = z.literal("tar").optional();

/**
 * `USER` or `USER:GROUP`, names or numbers, as the box knows them: everything that is written becomes theirs. `@box` is the user that the
 * box's commands run as, for what is new: what is replaced keeps its owner. Default: `@box` for a file, and what a tar says for a tar.
 */
const ownerSchema = z
  .string()
  .max(256)
  .regex(/^[^:\0]+(:[^:\0]+)?$/, "must be USER or USER:GROUP");

export const uploadQuerySchema = z.strictObject({ archive, owner: ownerSchema.optional() });

/**
 * `full`: the tar says more than every reader of tars understands (an entry `./` for the directory itself, times with nanoseconds, files with
 * holes, and what could not be read) instead of breaking off.
 */
export const downloadQuerySchema = z.strictObject({ archive, full: z.stringbool().default(false) });

export const pathQuerySchema = z.strictObject({ path: absolutePathSchema });

/** `follow`: what a symlink leads to, and not the link itself. */
export const statQuerySchema = z.strictObject({ path: absolutePathSchema, follow: z.stringbool().default(false) });

export const makeDirectoryRequestSchema = z.strictObject({
  path: absolutePathSchema,
  /** Make the directories on the way too; a directory that is there is then a success. */
  parents: z.boolean().default(false),
  owner: ownerSchema.optional(),
});
export type MakeDirectoryRequest = z.input<typeof makeDirectoryRequestSchema>;

export const renameRequestSchema = z.strictObject({
  path: absolutePathSchema,
  to: absolutePathSchema,
  /** Take the place of a file that is there, or of a directory that is empty. */
  replace: z.boolean().default(false),
});
export type RenameRequest = z.input<typeof renameRequestSchema>;

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
