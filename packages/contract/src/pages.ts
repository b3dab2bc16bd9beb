import { z } from "zod";

/** A page of a list. Without `limit` it has as much as `unpagedLimit`. */
export const pageQuerySchema = z.strictObject({
  limit: z.coerce.number().pipe(z.int().min(1).max(1_000)).optional(),
  /** From the `boxrun-next-cursor` of the page before. */
  cursor: z
    .string()
    .regex(/^\d{1,16}\.\d{1,16}$/, "is not one that a list has given")
    .optional(),
});
export type PageQuery = z.output<typeof pageQuerySchema>;

/** What a list has at most for whoever asks for no page. */
export const unpagedLimit = 10_000;
