import type { Exec } from "boxrun-sdk";
import { logBytes } from "boxrun-sdk";
import { client } from "../../api/client.ts";
import { breather } from "../../util/breathe.ts";
import type { LineStore, StreamName } from "../../util/line-store.ts";

/** Everything that an exec has written and writes, read into lines until it ends or the signal aborts. */
export async function followOutput(
  exec: Pick<Exec, "id" | "box_id">,
  lines: LineStore,
  signal: AbortSignal,
): Promise<void> {
  const decoders: Record<StreamName, TextDecoder> = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const breathe = breather();
  for await (const event of client.execs.events(exec.box_id, exec.id, { signal })) {
    if (event.event !== "log") return;
    // Pieces of one character come in one event; what is not UTF-8 is shown as such.
    const text =
      event.encoding === undefined ? event.data : decoders[event.stream].decode(logBytes(event), { stream: true });
    lines.append(text, event.stream);
    await breathe();
  }
}
