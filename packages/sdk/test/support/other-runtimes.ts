import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const versions = { bun: "1.4.5", deno: "2.9.6" } as const;

/** npm gives its scripts settings of its own, which must not reach the npm of a test. */
export const plainEnv = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));

/** Bun and Deno, got once for all checkouts: 200 MB, which nobody needs but a test. Resolves with the directory of their commands. */
export async function otherRuntimes(): Promise<string> {
  const cache = process.env.BOXRUN_CACHE_DIR ?? join(homedir(), ".cache/boxrun");
  const directory = join(cache, "test", `runtimes-bun-${versions.bun}-deno-${versions.deno}`);
  const ready = join(directory, "ready");
  if (!existsSync(ready)) {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, "package.json"), '{ "private": true }');
    const packages = Object.entries(versions).map(([name, version]) => `${name}@${version}`);
    const options = { cwd: directory, env: plainEnv };
    await promisify(execFile)("npm", ["install", "--no-audit", "--no-fund", ...packages], options);
    await writeFile(ready, "");
  }
  return join(directory, "node_modules/.bin");
}
