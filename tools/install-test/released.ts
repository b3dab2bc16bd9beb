import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../packages/host/src/run.ts";

const checkout = join(import.meta.dirname, "../..");
const operation = "get the last released BoxRun";

/** The last released version, by its commit. */
export const released = { version: "0.4.0", commit: "7ac5fc71b71e05bf257d25e117aea3d59babe4c3" } as const;

/** Whether this checkout's history has it: a shallow clone's has not. */
export async function hasReleased(): Promise<boolean> {
  return await run("git", ["-C", checkout, "cat-file", "-e", released.commit], { operation }).then(
    () => true,
    () => false,
  );
}

export interface ReleasedCheckout {
  readonly dir: string;
  /** The cache directory that it has filled. */
  readonly cacheDir: string;
}

/** Its checkout, with its libraries and the guest that it builds: in the cache, made once. */
export async function releasedCheckout(cacheDir: string, log: (line: string) => void): Promise<ReleasedCheckout> {
  const home = join(cacheDir, "test", "install");
  const place = join(home, `boxrun-${released.version}`);
  const parts = { dir: join(place, "checkout"), cacheDir: join(place, "cache") };
  if (existsSync(place)) return parts;
  await mkdir(home, { recursive: true });
  const scratch = await mkdtemp(join(home, ".build-"));
  try {
    const [dir, built] = [join(scratch, "checkout"), join(scratch, "cache")];
    await mkdir(dir);
    log(`building BoxRun ${released.version} from its commit`);
    const tar = join(scratch, "checkout.tar");
    await run("git", ["-C", checkout, "archive", "--output", tar, released.commit], { operation });
    await run("tar", ["-xf", tar, "-C", dir], { operation });
    await rm(tar);
    await run("npm", ["ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"], { operation, cwd: dir });
    const env = { BOXRUN_CACHE_DIR: built };
    for (const part of ["engine-qemu/src/guest-build/main.ts", "images/src/base/main.ts"]) {
      await run(process.execPath, [join(dir, "packages", part)], { operation, cwd: dir, env });
    }
    await rename(scratch, place).catch((error: unknown) => {
      // Another run may have been faster.
      if (!existsSync(place)) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return parts;
}
