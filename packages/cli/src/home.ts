import { homedir } from "node:os";
import { CliError } from "./failure.ts";

/** Asked for where nothing else says where something lies. HOST_FILE where this user has none. */
export function homeDir(): string {
  try {
    return homedir();
  } catch {
    throw new CliError(
      "HOST_FILE",
      `There is no home directory: HOME is not set, and uid ${process.getuid?.() ?? "?"} has no entry in passwd`,
      "Set HOME, or say where things lie: BOXRUN_STATE_DIR, BOXRUN_CACHE_DIR, XDG_CONFIG_HOME.",
    );
  }
}
