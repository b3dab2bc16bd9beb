import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

interface Product {
  readonly cacheDir: string;
  /** What the directory's name begins with: tells this product from others. */
  readonly prefix: string;
  /** All that decides what comes out. */
  readonly inputs: readonly unknown[];
  /** Fills the directory `built`; `scratch` is gone afterwards. */
  readonly build: (built: string, scratch: string) => Promise<void>;
}

/**
 * The directory `<cacheDir>/outer-vm/<prefix><sha256 of the inputs>`: built if it is not there, and then those of other inputs are removed. Safe
 * to call twice at once. Rejects with what `build` rejects with, and leaves nothing then.
 */
export async function builtOnce({ cacheDir, prefix, inputs, build }: Product): Promise<string> {
  const key = createHash("sha256").update(JSON.stringify(inputs)).digest("hex").slice(0, 32);
  const home = join(cacheDir, "outer-vm");
  const dir = join(home, `${prefix}${key}`);
  // Renamed into place when it is complete.
  if (existsSync(dir)) return dir;
  await mkdir(home, { recursive: true });
  const scratch = await mkdtemp(join(home, ".build-"));
  try {
    const built = join(scratch, "built");
    await mkdir(built);
    await build(built, scratch);
    await rename(built, dir).catch((error: unknown) => {
      // Another build of the same may have been faster.
      if (!existsSync(dir)) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  for (const name of await readdir(home)) {
    const other = name.startsWith(prefix) && /^[0-9a-f]{32}$/.test(name.slice(prefix.length));
    if (other && join(home, name) !== dir) await rm(join(home, name), { recursive: true, force: true });
  }
  return dir;
}
