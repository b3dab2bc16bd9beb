import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const holderSchema = z.object({ pid: z.int().positive() });

/** The process that holds a state directory, by what it wrote down there; `undefined` if it does not live any more. */
export function serverPid(stateDir: string): number | undefined {
  try {
    const { pid } = holderSchema.parse(JSON.parse(readFileSync(join(stateDir, "server.json"), "utf8")));
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}
