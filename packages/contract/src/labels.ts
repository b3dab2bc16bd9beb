import { z } from "zod";

export const labelNamePattern = /^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}$/;

export const labelsSchema = z.record(
  z
    .string()
    .regex(labelNamePattern, "must be 1 to 63 letters, digits, '_', '.', '/' or '-', and begin with a letter or digit"),
  z
    .string()
    .max(256)
    .regex(/^[^\p{Cc}]*$/u, "must not contain control characters"),
);
export type Labels = z.infer<typeof labelsSchema>;

/** What a box is asked for: that it has the label, with `null` whatever its value. */
export type LabelFilter = Readonly<Record<string, string | null>>;

const labelFilterText = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_./-]{0,62}(=[^\p{Cc}]*)?$/u, "must be NAME or NAME=VALUE");

/** `?label=NAME` or `?label=NAME=VALUE`, any number of them: all must be there. */
export const labelQuerySchema = z.union([labelFilterText, z.array(labelFilterText).max(64)]).optional();

/** As the store is asked. */
export function labelFilter(query: z.output<typeof labelQuerySchema>): LabelFilter {
  const words = query === undefined ? [] : [query].flat();
  return Object.fromEntries(
    words.map((word) => {
      const split = word.indexOf("=");
      return split === -1 ? [word, null] : [word.slice(0, split), word.slice(split + 1)];
    }),
  );
}
