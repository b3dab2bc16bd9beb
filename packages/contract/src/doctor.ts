import { z } from "zod";

/** What `boxrun doctor`, or the server itself, has found on the server's host. */
export const findingSchema = z.object({
  name: z.string(),
  /** `warn`: boxes run, but something is slower or missing. `fail`: they don't. */
  status: z.enum(["ok", "warn", "fail"]),
  message: z.string(),
  /** What to do about it, where there is something to do. */
  advice: z.string().optional(),
});
export type Finding = z.infer<typeof findingSchema>;
