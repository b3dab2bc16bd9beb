import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { boxIdSchema } from "@boxrun/contract";

/** Deletes what engines keep below the state directory under the box's id, whichever engine that was; returns what it deleted. */
export async function discardBox(stateDir: string, boxId: string): Promise<string[]> {
  boxIdSchema.parse(boxId);
  const folders = (await readdir(stateDir, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const found = folders.map(({ name }) => join(stateDir, name, boxId)).filter((path) => existsSync(path));
  await Promise.all(found.map((path) => rm(path, { recursive: true, force: true })));
  return found;
}
