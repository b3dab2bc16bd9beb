import { z } from "zod";
import { absolutePathSchema } from "./box.ts";

/**
 * Server-sent events of a watch. What happens from the first one on is told.
 *
 * | event      | data                              | told of                                                                  |
 * |------------|-----------------------------------|--------------------------------------------------------------------------|
 * | `ready`    | `{}`                              | it watches; the first                                                    |
 * | `created`  | `{"path","is_dir"}`               | what is new, or has come from where is not watched                       |
 * | `changed`  | `{"path","is_dir"}`               | content, mode, owner or times; many changes at once are told once        |
 * | `removed`  | `{"path","is_dir"}`               | what is gone, with all below it, or has gone to where is not watched     |
 * | `renamed`  | `{"path","from","is_dir"}`        | what has moved, with all below it; what was at `path` is replaced        |
 * | `overflow` | `{"reason"}`                      | something is missing: look again at all that matters; it goes on         |
 * | `end`      | `{}`                              | what was watched is gone; the last                                       |
 * | `error`    | an error: BOX_NOT_RUNNING, …      | the watch broke off; the last                                            |
 */
export const pathChangeSchema = z.object({ path: z.string(), is_dir: z.boolean() });
export const pathRenamedSchema = z.object({ ...pathChangeSchema.shape, from: z.string() });
export const changesMissingSchema = z.object({ reason: z.string() });
export const watchMarkSchema = z.object({});

export type FileChange =
  | ({ readonly event: "created" | "changed" | "removed" } & z.infer<typeof pathChangeSchema>)
  | ({ readonly event: "renamed" } & z.infer<typeof pathRenamedSchema>)
  | ({ readonly event: "overflow" } & z.infer<typeof changesMissingSchema>);

/** `recursive`: everything below a directory, with the directories that are made meanwhile. */
export const watchQuerySchema = z.strictObject({
  path: absolutePathSchema,
  recursive: z.stringbool().default(false),
});
