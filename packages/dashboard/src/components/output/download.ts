import type { Exec } from "boxrun-sdk";
import { logBytes } from "boxrun-sdk";
import { client } from "../../api/client.ts";
import { saveAs } from "../../util/save.ts";

/** All that the server has of an exec's output up to now, both streams as they came, to a file of the user's. */
export async function downloadOutput(exec: Pick<Exec, "id" | "box_id">): Promise<void> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const event of client.execs.events(exec.box_id, exec.id, { follow: false })) {
    if (event.event === "log") parts.push(new Uint8Array(logBytes(event)));
  }
  saveAs(new Blob(parts, { type: "application/octet-stream" }), `${exec.id}.log`);
}
