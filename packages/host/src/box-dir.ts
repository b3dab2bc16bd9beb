import { mkdir } from "node:fs/promises";
import { BoxRunError } from "@boxrun/contract";
import { isErrno } from "./errno.ts";

/** Makes the directory of a new box, for this user alone. RUNTIME_ERROR if it is there already. */
export async function makeBoxDir(boxId: string, boxDir: string): Promise<void> {
  try {
    await mkdir(boxDir, { mode: 0o700 });
  } catch (error) {
    if (!isErrno(error, "EEXIST")) throw error;
    throw new BoxRunError("RUNTIME_ERROR", `create box ${boxId}: ${boxDir} exists already; remove the box first`);
  }
}
