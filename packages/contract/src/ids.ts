import { z } from "zod";

/** 12 characters of base64url: 72 random bits. */
const suffix = "[A-Za-z0-9_-]{12}";

export const boxIdSchema = z.string().regex(new RegExp(`^box_${suffix}$`));
export const execIdSchema = z.string().regex(new RegExp(`^exec_${suffix}$`));

/** A box's name: what a shell, a URL and a host name all take without quoting. */
export const boxNameSchema = z
  .string()
  .regex(
    /^(?!box_)[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/,
    "must be 1 to 63 letters, digits, '_', '.' or '-', begin with a letter or digit, and not with 'box_'",
  );
