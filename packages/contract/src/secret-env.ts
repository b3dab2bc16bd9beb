import { z } from "zod";

/** What is shown in place of a value that is not to be. */
export const secretMask = "***";

/** Names of variables whose values are not shown. */
export const secretEnvSchema = z
  .array(z.string().regex(/^[^=\0]+$/, "must be a variable name: not empty, without '=' and NUL"))
  .max(256);
