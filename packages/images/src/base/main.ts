/**
 * `node packages/images/src/base/main.ts [--quiet]`: builds the base image into the cache ($BOXRUN_CACHE_DIR, else ~/.cache/boxrun).
 * tools/setup.sh runs it.
 */
import { toBoxRunError } from "@boxrun/contract";
import { commandLine } from "@boxrun/host";
import { defaultCacheDir } from "../cache-dir.ts";
import { buildBaseImage } from "./build.ts";

const { values } = commandLine(import.meta.url, { options: { quiet: { type: "boolean", default: false } } });

try {
  await buildBaseImage({
    cacheDir: defaultCacheDir(),
    log: (line) => values.quiet || process.stdout.write(`base image: ${line}\n`),
  });
} catch (error) {
  process.stderr.write(`base image: ${toBoxRunError(error).message}\n`);
  process.exitCode = 1;
}
