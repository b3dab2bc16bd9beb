import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const noteFile = "note.json";

/** What the core wants to be kept with a box, so that it can be found again without the database. */
export async function keepNote(boxDir: string, note: string | undefined): Promise<void> {
  const file = join(boxDir, noteFile);
  if (note === undefined) return await rm(file, { force: true });
  await writeFile(`${file}.new`, note, { mode: 0o600, flush: true });
  await rename(`${file}.new`, file);
}

export async function readNote(boxDir: string): Promise<string | undefined> {
  try {
    return await readFile(join(boxDir, noteFile), "utf8");
  } catch {
    // None, or none that can be read: the same to whoever would make a box of it.
    return undefined;
  }
}
