import type { ImageRecord, ImageRecordStore } from "@boxrun/core";
import { z } from "zod";
import { type Database, durable, jsonColumn } from "./database.ts";

export const imageConfigSchema = z.object({
  env: z.record(z.string(), z.string()),
  user: z.string().nullable(),
  workdir: z.string().nullable(),
});

const imageRow = z
  .object({
    reference: z.string(),
    digest: z.string(),
    size_bytes: z.int(),
    config: jsonColumn(imageConfigSchema),
    created_at_ms: z.int(),
  })
  .transform(
    (row): ImageRecord => ({
      reference: row.reference,
      digest: row.digest,
      sizeBytes: row.size_bytes,
      config: row.config,
      createdAtMs: row.created_at_ms,
    }),
  );

export function imageRecordStore(db: Database): ImageRecordStore {
  const put = durable(
    db,
    "store an image's record",
    `INSERT INTO images (reference, digest, size_bytes, config, created_at_ms) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (reference) DO UPDATE SET
       digest = excluded.digest, size_bytes = excluded.size_bytes, config = excluded.config, created_at_ms = excluded.created_at_ms`,
  );
  const get = db.query("read an image's record", "SELECT * FROM images WHERE reference = ?", imageRow);
  const list = db.query("list images", "SELECT * FROM images ORDER BY reference", imageRow);
  const remove = durable(db, "delete an image's record", "DELETE FROM images WHERE reference = ?");

  return {
    put: (image) =>
      put(image.reference, image.digest, image.sizeBytes, JSON.stringify(image.config), image.createdAtMs),
    get: (reference) => get.get(reference),
    list: () => list.all(),
    delete: (reference) => remove(reference),
  };
}
