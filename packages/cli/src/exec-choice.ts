import type { Exec } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import type { Session } from "./session.ts";

/** The exec that was named, else the box's latest. EXEC_NOT_FOUND. */
export async function chosenExec({ client, signal }: Session, box: string, id: string | undefined): Promise<Exec> {
  if (id !== undefined) return client.execs.get(box, id, { signal });
  const [latest] = await client.execs.list(box, { signal });
  if (latest === undefined) throw new BoxRunError("EXEC_NOT_FOUND", `${box} has run no program yet`);
  return latest;
}
