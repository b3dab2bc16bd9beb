import { z } from "zod";

const bytes = z.int().nonnegative();

/** `GET /v1/usage`: what takes how much of the host's disk, in bytes. Files with holes count by what is in them. */
export const usageSchema = z.object({
  /** The largest first. */
  boxes: z.array(z.object({ id: z.string(), name: z.string().nullable(), disk_bytes: bytes })),
  boxes_bytes: bytes,
  /** As they were pulled or imported. */
  images_bytes: bytes,
  /** Images made ready for booting. */
  prepared_images_bytes: bytes,
  /** What is kept of the output of commands; it is in the database. */
  output_bytes: bytes,
  database_bytes: bytes,
  logs_bytes: bytes,
  /** What is free where the state directory is. */
  free_bytes: bytes,
  /** What boxes that are up may still write there, if each fills its disk. */
  promised_bytes: bytes.optional(),
});
export type Usage = z.infer<typeof usageSchema>;
