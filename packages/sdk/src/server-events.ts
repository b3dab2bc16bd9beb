import { boxRemovedSchema, boxSchema, execSchema, type ServerEvent, urls } from "@boxrun/contract";
import type { CallOptions, Http } from "./http.ts";
import { readSse } from "./sse.ts";

/**
 * Every change of state from now on, until the server ends the stream (it is stopping) or the signal aborts. CONNECTION_FAILED if it
 * breaks: what happened meanwhile is not repeated, so list the boxes again after reconnecting.
 */
export async function* serverEvents(http: Http, { signal }: CallOptions): AsyncGenerator<ServerEvent> {
  const open = (connectionSignal: AbortSignal) =>
    http.open("GET", urls.events(), { headers: { accept: "text/event-stream" }, signal: connectionSignal });
  for await (const { event, data } of readSse(http, { open, signal })) {
    if (event === "box") yield { event, data: http.parse(boxSchema, data, "A box event") };
    else if (event === "box_removed") yield { event, data: http.parse(boxRemovedSchema, data, "A box_removed event") };
    else if (event === "exec") yield { event, data: http.parse(execSchema, data, "An exec event") };
  }
}
