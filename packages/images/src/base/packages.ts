import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { downloadPackages, isErrno, run } from "@boxrun/host";
import { basePackages } from "./programs.ts";

const operation = "fetch Debian's packages for the base image";

/**
 * Debian's packages of the base image's programs, unpacked into the directory `target`: fetched with apt once, and kept in `<cacheDir>/debs` until
 * others are wanted. RUNTIME_ERROR, with apt's reason, where they can't be had.
 */
export async function unpackBasePackages(
  target: string,
  options: { readonly cacheDir: string; readonly log: (line: string) => void },
): Promise<string> {
  const kept = join(options.cacheDir, "debs", basePackages.join("_"));
  const debs = (await debsIn(kept)) ?? (await fetchInto(kept, options.log));
  for (const deb of debs) await run("dpkg-deb", ["--extract", deb, target], { operation });
  return target;
}

async function fetchInto(kept: string, log: (line: string) => void): Promise<readonly string[]> {
  log(`fetching Debian's packages ${basePackages.join(", ")}`);
  const parent = join(kept, "..");
  await mkdir(parent, { recursive: true });
  const scratch = await mkdtemp(join(parent, ".fetch-"));
  try {
    const hinted = `${operation}: if apt does not find them, run \`apt-get update\``;
    await downloadPackages(basePackages, scratch, hinted);
    await rename(scratch, kept).catch((error: unknown) => {
      // Somebody else was faster.
      if (!isErrno(error, "ENOTEMPTY") && !isErrno(error, "EEXIST")) throw error;
    });
    return (await debsIn(kept)) ?? [];
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Sorted. `undefined` where nothing was fetched yet. */
async function debsIn(dir: string): Promise<readonly string[] | undefined> {
  const names = await readdir(dir).catch(() => undefined);
  return names
    ?.filter((name) => name.endsWith(".deb"))
    .sort()
    .map((name) => join(dir, name));
}
