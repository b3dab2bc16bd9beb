import { BoxRunError } from "@boxrun/contract";
import type { SessionRecord, SessionStore } from "@boxrun/core";
import { z } from "zod";
import { type Database, jsonColumn } from "./database.ts";
import { isForeignKeyViolation, isUniqueViolation } from "./sqlite-errors.ts";

const sessionRow = z
  .object({
    id: z.string(),
    box_id: z.string(),
    name: z.string().nullable(),
    shell: z.string().nullable(),
    cols: z.int(),
    rows: z.int(),
    created_at_ms: z.int(),
    output_offset: z.int(),
    modes: jsonColumn(z.array(z.tuple([z.int(), z.boolean()]))),
  })
  .transform(
    (row): SessionRecord => ({
      id: row.id,
      boxId: row.box_id,
      name: row.name,
      shell: row.shell,
      cols: row.cols,
      rows: row.rows,
      createdAtMs: row.created_at_ms,
      outputOffset: row.output_offset,
      modes: row.modes,
    }),
  );

export function sessionStore(db: Database): SessionStore {
  const insert = db.command(
    "insert a session",
    `INSERT INTO sessions (id, box_id, name, shell, cols, rows, created_at_ms, output_offset, modes)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const update = db.command(
    "update a session",
    "UPDATE sessions SET shell = ?, cols = ?, rows = ?, created_at_ms = ?, output_offset = ?, modes = ? WHERE id = ?",
  );
  const list = db.query("list sessions", "SELECT * FROM sessions ORDER BY created_at_ms, rowid", sessionRow);
  const remove = db.command("delete a session", "DELETE FROM sessions WHERE id = ?");
  const keepEnd = db.command(
    "delete a session",
    `INSERT OR IGNORE INTO unconfirmed_ends (exec_id, box_id, stdout_offset, stderr_offset)
     SELECT id, box_id, output_offset, 0 FROM sessions WHERE id = ?`,
  );

  return {
    insert({ id, boxId, name, shell, cols, rows, createdAtMs, outputOffset, modes }): void {
      try {
        insert(id, boxId, name, shell, cols, rows, createdAtMs, outputOffset, JSON.stringify(modes));
      } catch (error) {
        if (isUniqueViolation(error)) {
          throw new BoxRunError("NAME_ALREADY_EXISTS", `Box ${boxId} has a session ${name} already.`, { cause: error });
        }
        if (isForeignKeyViolation(error)) {
          throw new BoxRunError("BOX_NOT_FOUND", `Cannot start a session: box ${boxId} was removed.`, { cause: error });
        }
        throw error;
      }
    },
    update({ id, shell, cols, rows, createdAtMs, outputOffset, modes }): void {
      update(shell, cols, rows, createdAtMs, outputOffset, JSON.stringify(modes), id);
    },
    list: () => list.all(),
    delete(id, { isUnconfirmed }): void {
      db.transaction("delete a session", () => {
        if (isUnconfirmed) keepEnd(id);
        remove(id);
      });
    },
  };
}
