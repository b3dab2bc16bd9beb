import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { boxIdSchema } from "@boxrun/contract";

/** How deep below the state directory engines keep what is a box's: QEMU in `vm/<id>`, BoxLite in `boxlite/home/boxes/<its own id>`. */
const depth = 4;
/** No folder that several boxes share has a name like this. */
const engineIdPattern = /^[A-Za-z0-9]{12,64}$/;

/**
 * Deletes what engines keep below the state directory under the box's id, or under the engine's own for it, whichever engine that was.
 * Returns what it deleted.
 */
export async function discardBox(
  stateDir: string,
  box: { readonly id: string; readonly engineId: string | null },
): Promise<string[]> {
  const names = new Set([boxIdSchema.parse(box.id)]);
  if (box.engineId !== null && engineIdPattern.test(box.engineId)) names.add(box.engineId);
  const found = await foldersNamed(names, stateDir, depth);
  await Promise.all(found.map((path) => rm(path, { recursive: true, force: true })));
  return found;
}

async function foldersNamed(names: ReadonlySet<string>, dir: string, levels: number): Promise<string[]> {
  const folders = (await readdir(dir, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const found = folders.filter(({ name }) => names.has(name)).map(({ name }) => join(dir, name));
  if (levels === 1) return found;
  const deeper = folders.filter(({ name }) => !names.has(name));
  return found.concat(
    ...(await Promise.all(deeper.map(({ name }) => foldersNamed(names, join(dir, name), levels - 1)))),
  );
}
