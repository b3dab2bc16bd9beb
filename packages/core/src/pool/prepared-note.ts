import { z } from "zod";

/** What an engine keeps with a box that nobody has asked for yet: whoever finds that, and no row, finds what a server has left that is gone. */
const noteSchema = z.strictObject({ prepared: z.literal(true) });

export const preparedNote = JSON.stringify({ prepared: true } satisfies z.infer<typeof noteSchema>);

export function isPreparedNote(note: string | undefined): boolean {
  if (note === undefined) return false;
  try {
    return noteSchema.safeParse(JSON.parse(note)).success;
  } catch {
    return false;
  }
}
