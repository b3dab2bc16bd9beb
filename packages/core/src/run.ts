import { execRequestSchema, type RunRequest, type RunResponse } from "@boxrun/contract";
import type { BoxManager } from "./boxes/box-manager.ts";
import type { ExecManager } from "./execs/exec-manager.ts";
import type { OutputEvent } from "./ports/store.ts";

/** A box for one command; it is gone afterwards, whatever happened, also when `signal` aborts. */
export async function runOnce(
  request: RunRequest,
  parts: { readonly boxes: BoxManager; readonly execs: ExecManager; readonly signal: AbortSignal },
): Promise<RunResponse> {
  const { boxes, execs, signal } = parts;
  const { cmd, timeout_ms, ...createRequest } = request;
  let boxId: string | undefined;
  try {
    boxId = (await boxes.create(createRequest, { signal, onInserted: (id) => (boxId = id) })).id;
    const exec = await execs.start(boxId, execRequestSchema.parse({ cmd, timeout_ms }));
    const output = { stdout: "", stderr: "" };
    for await (const events of execs.events(exec.id, { after: 0, signal })) {
      for (const event of events) {
        if (event.kind === "log") output[event.stream] += text(event);
      }
    }
    signal.throwIfAborted();
    const ended = await execs.wait(boxId, exec.id);
    return { exit_code: ended.exit_code, ...output, error_message: ended.error_message };
  } finally {
    if (boxId !== undefined) await boxes.removeIfThere(boxId);
  }
}

function text(event: Extract<OutputEvent, { kind: "log" }>): string {
  return event.base64 ? Buffer.from(event.data, "base64").toString("utf8") : event.data;
}
