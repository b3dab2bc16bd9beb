import type { ServerEvent } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import type { CallOptions, Http } from "./http.ts";
import type { Contract } from "./shape.ts";
import { readSse } from "./sse.ts";

const shapes = {
  box: (contract: Contract) => contract.boxSchema,
  box_removed: (contract: Contract) => contract.boxRemovedSchema,
  exec: (contract: Contract) => contract.execSchema,
};

export interface ServerEventsOptions extends CallOptions {
  /** Called once the server tells: a state that is read from then on lacks no change that is not told. */
  readonly onOpen?: (() => void) | undefined;
}

/**
 * Every change of state from now on, until the server ends the stream (it is stopping) or the signal aborts. CONNECTION_FAILED if it
 * breaks: what happened meanwhile is not repeated, so list the boxes again after reconnecting.
 */
export async function* serverEvents(http: Http, { signal, onOpen }: ServerEventsOptions): AsyncGenerator<ServerEvent> {
  const open = async (connectionSignal: AbortSignal) => {
    const headers = { accept: "text/event-stream" };
    const response = await http.open("GET", urls.events(), { headers, signal: connectionSignal });
    onOpen?.();
    return response;
  };
  for await (const { event, data, response } of readSse(http, { open, signal })) {
    if (event === "box") yield { event, data: await http.parse(response, shapes.box, data, "A box event") };
    else if (event === "box_removed") {
      yield { event, data: await http.parse(response, shapes.box_removed, data, "A box_removed event") };
    } else if (event === "exec") yield { event, data: await http.parse(response, shapes.exec, data, "An exec event") };
  }
}
