import { homedir } from "node:os";
import { join } from "node:path";

/** Where everything lies that is built at set-up: `$BOXRUN_CACHE_DIR`, else `~/.cache/boxrun`. */
export function defaultCacheDir(): string {
  return process.env.BOXRUN_CACHE_DIR || join(homedir(), ".cache", "boxrun");
}
