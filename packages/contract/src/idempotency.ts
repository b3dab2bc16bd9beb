import { z } from "zod";
import { idempotencyKeyHeader } from "./urls.ts";

/** Letters, digits and whatever else ASCII can print: enough for a UUID, or a name that a program makes of its own task. */
export const idempotencyKeySchema = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[ -~]*$/, "must be printable ASCII");

export const idempotencyHeadersSchema = z.object({
  /** Sent again with the same body, within 24 hours, the request is answered with what was made of it the first time; of another body it is an error. */
  [idempotencyKeyHeader]: idempotencyKeySchema.optional(),
});
