import { closeSync, openSync, renameSync, rmSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";

/** Where the database lies as it was before it was last brought to a newer version. */
export function backupOf(path: string): string {
  return `${path}.backup`;
}

/** Copies the database as it is, for its owner alone; one that can't be copied must not be changed. SQLite's and the file system's errors pass through. */
export function backUp(db: DatabaseSync, path: string): void {
  const backup = backupOf(path);
  const scratch = `${backup}.new`;
  try {
    rmSync(scratch, { force: true });
    closeSync(openSync(scratch, "wx", 0o600));
    db.prepare("VACUUM INTO ?").run(scratch);
    renameSync(scratch, backup);
  } catch (error) {
    rmSync(scratch, { force: true });
    throw error;
  }
}
