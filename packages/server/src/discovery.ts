import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

/** Where a running server is: `<stateDir>/server.json`, for clients and people. It goes with the state directory's lock. */
const discoverySchema = z.looseObject({
  pid: z.int().positive(),
  /** RFC 3339. */
  started_at: z.string(),
  version: z.string(),
  /** Path of the Unix socket. */
  socket: z.string(),
  /** `127.0.0.1:9090`, `[::1]:9090`; `null` without TCP. */
  tcp: z.string().nullable(),
});
type Discovery = z.infer<typeof discoverySchema>;

/** Adds to what the lock has written there (pid, started_at) when everything can be reached. */
export async function publish(stateDir: string, found: Pick<Discovery, "version" | "socket" | "tcp">): Promise<void> {
  const path = join(stateDir, "server.json");
  const held: unknown = JSON.parse(await readFile(path, "utf8"));
  const discovery = discoverySchema.parse({ ...z.looseObject({}).parse(held), ...found });
  await writeFile(`${path}.new`, `${JSON.stringify(discovery)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
