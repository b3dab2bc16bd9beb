import type { Exec } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import type { Session } from "./session.ts";

/** Whether a word is an exec's id or the beginning of one, where a box is asked for. A box may be called like a beginning, and wins. */
export async function isExecId({ client, signal }: Session, word: string): Promise<boolean> {
  const [, random] = /^exec_([A-Za-z0-9_-]{4,12})$/.exec(word) ?? [];
  if (random === undefined || random.length === fullLength) return random !== undefined;
  return client.boxes.get(word, { signal }).then(
    () => false,
    (error: unknown) => {
      if (error instanceof BoxRunError && error.code === "BOX_NOT_FOUND") return true;
      throw error;
    },
  );
}

const fullLength = 12;

/** The id of the box that has the exec. EXEC_NOT_FOUND; VALIDATION_ERROR where several boxes have one whose id begins so. */
export async function ownerOf({ client, signal }: Session, exec: string): Promise<string> {
  const owners: Exec[] = [];
  for (const { id } of await client.boxes.list({ signal })) {
    const found = await client.execs.get(id, exec, { signal }).catch((error: unknown) => {
      if (error instanceof BoxRunError && ["EXEC_NOT_FOUND", "BOX_NOT_FOUND"].includes(error.code)) return undefined;
      throw error;
    });
    if (found?.id === exec) return id;
    if (found !== undefined) owners.push(found);
  }
  const [owner] = owners;
  if (owners.length > 1) {
    const listed = owners.map(({ id, box_id }) => `${id} (of ${box_id})`).join(", ");
    throw new BoxRunError("VALIDATION_ERROR", `${exec} is the beginning of several ids: ${listed}. Give more of it`);
  }
  if (owner !== undefined) return owner.box_id;
  throw new BoxRunError("EXEC_NOT_FOUND", `No box has an exec ${exec}`);
}
