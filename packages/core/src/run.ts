import { execRequestSchema, type RunRequest, type RunResponse } from "@boxrun/contract";
import type { BoxManager } from "./boxes/box-manager.ts";
import type { ExecManager } from "./execs/exec-manager.ts";
import type { LogOutput, RequestKey } from "./ports/store.ts";
import { unlessAborted } from "./unless-aborted.ts";

interface Parts {
  readonly boxes: BoxManager;
  readonly execs: ExecManager;
  readonly signal: AbortSignal;
  /** Of the request, kept with the command. */
  readonly key?: RequestKey | undefined;
  /** Called while the box is still there. */
  readonly onAnswer?: (answer: RunResponse) => void;
}

/** A box for one command; it is gone afterwards, whatever happened, also when `signal` aborts. */
export async function runOnce(request: RunRequest, parts: Parts): Promise<RunResponse> {
  const { boxes, execs, signal, key, onAnswer } = parts;
  const { cmd, timeout_ms, ...createRequest } = request;
  let boxId: string | undefined;
  try {
    boxId = (await boxes.create(createRequest, { signal, ephemeral: true, onInserted: (id) => (boxId = id) })).id;
    const exec = await execs.start(boxId, execRequestSchema.parse({ cmd, timeout_ms }), { key });
    // Followed by nobody: what passes the limit is missing in the answer, and the program is not slowed down.
    await unlessAborted(execs.wait(boxId, exec.id), signal);
    const output = { stdout: "", stderr: "" };
    let skippedBytes = 0;
    for await (const events of execs.events(exec.id, { after: 0, follow: false, signal })) {
      for (const event of events) {
        if (event.kind === "log") output[event.stream] += text(event);
        if (event.kind !== "gap") continue;
        output.stderr += event.data;
        skippedBytes += event.bytes;
      }
    }
    signal.throwIfAborted();
    const { exit_code, error_message } = execs.get(boxId, exec.id);
    const cut = skippedBytes > 0 ? { truncated: true as const, skipped_bytes: skippedBytes } : {};
    const answer = { exit_code, ...output, error_message, ...cut };
    onAnswer?.(answer);
    return answer;
  } finally {
    if (boxId !== undefined) await boxes.reap(boxId);
  }
}

function text(event: LogOutput): string {
  return event.base64 ? Buffer.from(event.data, "base64").toString("utf8") : event.data;
}
