import { z } from "zod";

/** Reads an error off the wire. The code is any text: a later server may have codes that this table lacks. */
export const errorBodySchema = z.object({
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()).optional(),
});
