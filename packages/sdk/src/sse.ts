import { createParser } from "eventsource-parser";
import { ClientError } from "./errors.ts";
import type { Http } from "./http.ts";
import type { FetchResponse } from "./transport.ts";

export interface SseEvent {
  /** `""`: this is the whole of an answer that is JSON instead of a stream of events. */
  readonly event: string;
  readonly data: string;
  /** The answer that it is a piece of. */
  readonly response: FetchResponse;
}

/** The server says something every 15 s, if only a comment: a connection silent for so long is dead. */
const silenceMs = 60_000;

interface SseRequest {
  readonly open: (signal: AbortSignal) => Promise<FetchResponse>;
  readonly signal: AbortSignal | undefined;
}

/** The events of one connection; ends when the server ends it. CONNECTION_FAILED when it breaks or falls silent. */
export async function* readSse(http: Http, request: SseRequest): AsyncGenerator<SseEvent> {
  const silence = new AbortController();
  const signal = request.signal === undefined ? silence.signal : AbortSignal.any([request.signal, silence.signal]);
  const waiting: { readonly event: string; readonly data: string }[] = [];
  const parser = createParser({ onEvent: ({ event = "message", data }) => void waiting.push({ event, data }) });
  const decoder = new TextDecoder();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      silence.abort(
        new ClientError("CONNECTION_FAILED", `Nothing came from ${http.address} for ${silenceMs / 1000} s`),
      );
    }, silenceMs);
  };
  try {
    const response = await request.open(signal);
    watch();
    if (response.headers.get("content-type")?.startsWith("application/json")) {
      yield { event: "", data: await http.text(response, signal), response };
      return;
    }
    for await (const chunk of http.chunks(response, signal)) {
      // A reader that takes its time over an event is not a silent server.
      clearTimeout(timer);
      parser.feed(decoder.decode(chunk, { stream: true }));
      for (const event of waiting.splice(0)) yield { ...event, response };
      watch();
    }
  } finally {
    clearTimeout(timer);
  }
}
