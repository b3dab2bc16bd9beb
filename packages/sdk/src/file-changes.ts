import type { FileChange } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import { ClientError, serverError } from "./errors.ts";
import type { CallOptions, Http } from "./http.ts";
import { isPassing, pause, retryDelaysMs } from "./reconnect.ts";
import type { Contract } from "./shape.ts";
import { readSse, type SseEvent } from "./sse.ts";

export interface WatchOptions extends CallOptions {
  /** Everything below a directory, also what is made meanwhile. */
  readonly recursive?: boolean | undefined;
  /** Called once the box watches: nothing that happens from then on is missed. */
  readonly onOpen?: (() => void) | undefined;
}

const shapes = {
  path: (contract: Contract) => contract.pathChangeSchema,
  renamed: (contract: Contract) => contract.pathRenamedSchema,
  missing: (contract: Contract) => contract.changesMissingSchema,
};

/**
 * What happens to files, until what is watched is gone. A connection that is lost is opened again, and what may be missing by that is an
 * `overflow`. Rejects with what the box has to say where it breaks off: BOX_NOT_RUNNING when it stops.
 */
export async function* watchFiles(
  http: Http,
  target: { readonly box: string; readonly path: string },
  { signal, recursive = false, onOpen }: WatchOptions,
): AsyncGenerator<FileChange, void> {
  const url = urls.watchFiles(target.box, target.path, recursive);
  let failures = 0;
  let wasOpen = false;
  for (;;) {
    try {
      if (failures > 0) await http.bringBack();
      const open = (connectionSignal: AbortSignal) =>
        http.open("GET", url, { signal: connectionSignal, headers: { accept: "text/event-stream" } });
      for await (const sse of readSse(http, { open, signal })) {
        if (sse.event === "ready") {
          if (wasOpen) yield { event: "overflow", reason: "the connection was lost for a while" };
          else onOpen?.();
          wasOpen = true;
          failures = 0;
        }
        if (sse.event === "end") return;
        const change = await parseChange(http, sse);
        if (change !== undefined) yield change;
      }
      throw new ClientError("CONNECTION_FAILED", `${http.address} ended the changes of ${target.path}`);
    } catch (error) {
      signal?.throwIfAborted();
      const delayMs = retryDelaysMs[failures];
      if (!wasOpen || !isPassing(error) || delayMs === undefined) throw error;
      failures += 1;
      await pause(delayMs, signal);
    }
  }
}

async function parseChange(http: Http, { event, data, response }: SseEvent): Promise<FileChange | undefined> {
  const what = `A ${event} event`;
  if (event === "created" || event === "changed" || event === "removed") {
    return { event, ...(await http.parse(response, shapes.path, data, what)) };
  }
  if (event === "renamed") return { event, ...(await http.parse(response, shapes.renamed, data, what)) };
  if (event === "overflow") return { event, ...(await http.parse(response, shapes.missing, data, what)) };
  if (event !== "error") return undefined;
  const body = await http.errorBody(response, data);
  throw serverError(body?.code === "BOX_UNREACHABLE" ? 503 : 400, body, "Watching files", data);
}
