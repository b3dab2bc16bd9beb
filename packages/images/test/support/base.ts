import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { defaultCacheDir } from "../../src/cache-dir.ts";
import { type BuildBaseOptions, buildBaseImage } from "../../src/index.ts";

/** The base image of this checkout, made anew, of the packages that were fetched at set-up: nothing is asked of apt. */
export async function makeBase(options: BuildBaseOptions): Promise<string> {
  await mkdir(options.cacheDir, { recursive: true });
  await symlink(join(defaultCacheDir(), "debs"), join(options.cacheDir, "debs")).catch(() => undefined);
  return buildBaseImage(options);
}
