import type { Finding } from "@boxrun/contract";
import type { BoxRunCore } from "@boxrun/core";
import { checkOrphans, examineHost, ok, reason, warn } from "@boxrun/host";

interface Context {
  readonly core: BoxRunCore;
  readonly version: string;
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly socketPath: string;
}

/** What `boxrun doctor` finds, by the server itself: of its host, for whoever is elsewhere. */
export async function findings({ core, version, stateDir, cacheDir, socketPath }: Context): Promise<Finding[]> {
  const { engine } = await core.info();
  const orphans = await core.orphans
    .list()
    .then(checkOrphans, (error: unknown) => [
      warn("boxes", `can't be compared with the database: ${reason(error)}`, "Look into the server's log."),
    ]);
  // What it was started with is what it has: `requested` is for whoever asks from elsewhere.
  const own = { stateDir, cacheDir, socketPath, engine, requested: undefined };
  return examineHost({ ...own, server: [ok("server", `${version} answers`), ...orphans] });
}
