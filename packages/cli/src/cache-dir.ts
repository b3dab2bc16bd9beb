import { join, resolve } from "node:path";
import { homeDir } from "./home.ts";

/** Where the server that this command starts keeps what was built, and what it found out about this host. */
export function cacheDirOf(env: NodeJS.ProcessEnv): string {
  return resolve(env.BOXRUN_CACHE_DIR || join(homeDir(), ".cache", "boxrun"));
}
