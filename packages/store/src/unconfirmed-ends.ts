import type { UnconfirmedEnd, UnconfirmedEndStore } from "@boxrun/core";
import { z } from "zod";
import type { Database } from "./database.ts";

const endRow = z
  .object({
    exec_id: z.string(),
    box_id: z.string(),
    stdout_offset: z.int(),
    stderr_offset: z.int(),
  })
  .transform(
    (row): UnconfirmedEnd => ({
      execId: row.exec_id,
      boxId: row.box_id,
      acknowledged: { stdout: row.stdout_offset, stderr: row.stderr_offset },
    }),
  );

export function unconfirmedEndStore(db: Database): UnconfirmedEndStore {
  const list = db.query(
    "list ends that are not confirmed",
    `SELECT * FROM unconfirmed_ends WHERE EXISTS
       (SELECT 1 FROM boxes WHERE boxes.id = unconfirmed_ends.box_id AND boxes.status <> 'removed')`,
    endRow,
  );
  const acknowledge = db.command(
    "store how far output was acknowledged",
    "UPDATE unconfirmed_ends SET stdout_offset = ?, stderr_offset = ? WHERE exec_id = ?",
  );
  const confirm = db.command("confirm an end", "DELETE FROM unconfirmed_ends WHERE exec_id = ?");
  const explain = db.command(
    "confirm an end",
    `UPDATE execs SET error_message = CASE status WHEN 'canceled' THEN ? WHEN 'timeout' THEN ? ELSE error_message END
     WHERE id = ? AND id IN (SELECT exec_id FROM unconfirmed_ends)`,
  );
  return {
    list: () => list.all(),
    acknowledge: (execId, { stdout, stderr }) => acknowledge(stdout, stderr, execId),
    confirm(execId, { canceled, timeout }) {
      db.transaction("confirm an end", () => {
        explain(canceled, timeout, execId);
        confirm(execId);
      });
    },
  };
}
