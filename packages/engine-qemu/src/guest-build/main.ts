/**
 * `node packages/engine-qemu/src/guest-build/main.ts [--refresh-kernel] [--quiet]`: builds the guest kernel, initramfs and host
 * helper into the cache ($BOXRUN_CACHE_DIR, else ~/.cache/boxrun). tools/setup.sh runs it.
 */
import { toBoxRunError } from "@boxrun/contract";
import { commandLine, defaultCacheDir } from "@boxrun/host";
import { buildGuest } from "./build.ts";

const { values } = commandLine(import.meta.url, {
  options: { "refresh-kernel": { type: "boolean", default: false }, quiet: { type: "boolean", default: false } },
});

try {
  await buildGuest({
    cacheDir: defaultCacheDir(),
    refreshKernel: values["refresh-kernel"],
    log: (line) => values.quiet || process.stdout.write(`guest: ${line}\n`),
  });
} catch (error) {
  const known = toBoxRunError(error);
  process.stderr.write(`guest: ${known.message}\n`);
  process.exitCode = 1;
}
