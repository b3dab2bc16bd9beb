import { z } from "zod";
import { boxSchema } from "./box.ts";

/** A box that an engine has and the database does not: that was moved aside, or a backup of it was restored. */
export const orphanSchema = z.object({
  id: z.string(),
  engine: z.string(),
  /** What it was called, where the engine's own record of it says so. */
  name: z.string().nullable(),
  image: z.string().nullable(),
  created_at: z.string().nullable(),
  /** Whether a box can be made of it again; else it can only be removed. */
  adoptable: z.boolean(),
});
export type Orphan = z.infer<typeof orphanSchema>;

/** What an engine keeps with a box, so that it can be taken in again without a database. */
export const boxNoteSchema = boxSchema.extend({
  image_config: z.object({
    env: z.record(z.string(), z.string()),
    user: z.string().nullable(),
    workdir: z.string().nullable(),
  }),
});
export type BoxNote = z.infer<typeof boxNoteSchema>;
