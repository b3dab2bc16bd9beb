import { BoxRunError } from "@boxrun/contract/plain";
import type { Session } from "./session.ts";

/** Whether a word is an exec's id, where a box is asked for: no box is called like that. */
export function isExecId(word: string): boolean {
  return /^exec_[A-Za-z0-9_-]{12}$/.test(word);
}

/** The id of the box that has the exec. EXEC_NOT_FOUND. */
export async function ownerOf({ client, signal }: Session, exec: string): Promise<string> {
  for (const { id } of await client.boxes.list({ signal })) {
    const found = await client.execs.get(id, exec, { signal }).catch((error: unknown) => {
      if (error instanceof BoxRunError && ["EXEC_NOT_FOUND", "BOX_NOT_FOUND"].includes(error.code)) return undefined;
      throw error;
    });
    if (found !== undefined) return id;
  }
  throw new BoxRunError("EXEC_NOT_FOUND", `No box has an exec ${exec}`);
}
