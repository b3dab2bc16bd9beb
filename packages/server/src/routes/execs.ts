import { type EndEvent, type ExitEvent, eventsQuerySchema, type LogEvent } from "@boxrun/contract";
import type { OutputEvent } from "@boxrun/core";
import type { Handlers } from "../register.ts";
import type { SseEvent } from "../sse.ts";
import { validate } from "../validation.ts";
import { answerEvents, type Context, callerSignal, itemsOf } from "./context.ts";
import { repeatable } from "./repeatable.ts";

type ExecHandlers = Pick<
  Handlers,
  | "startExec"
  | "listExecs"
  | "getExec"
  | "streamExecEvents"
  | "cancelExec"
  | "writeExecStdin"
  | "resizeExec"
  | "signalExec"
>;

export function execHandlers(context: Context): ExecHandlers {
  const { core, lifetime } = context;
  return {
    startExec: async ({ path, body, request, reply }) => {
      const exec = await core.requests.exec(path.id, body, repeatable(request, reply));
      request.subject = { box_id: exec.box_id, exec_id: exec.id };
      request.happened?.({});
      if (!acceptsEvents(request.headers.accept)) return exec;
      return answerEvents(
        reply,
        context,
        (signal) =>
          new SseEvents(core.execs.events(exec.id, { after: 0, signal }), { first: { event: "exec", data: exec } }),
      );
    },
    listExecs: async ({ path, query, reply }) => itemsOf(core.execs.list(path.id, query), reply),
    getExec: async ({ path }) => core.execs.get(path.id, path.exec_id),
    streamExecEvents: async ({ path, query, request, reply }) => {
      const after = lastEventId(request.headers["last-event-id"]) ?? query.after ?? 0;
      // Said while an error can still be answered.
      const { id } = core.execs.get(path.id, path.exec_id);
      const { follow } = query;
      return answerEvents(reply, context, (signal) => {
        const events = core.execs.events(id, { after, follow, signal });
        return new SseEvents(events, follow ? {} : { endBehind: after });
      });
    },
    cancelExec: ({ path }) => core.execs.cancel(path.id, path.exec_id),
    writeExecStdin: async ({ path, query, body, reply }) => {
      const signal = callerSignal(reply, lifetime);
      await core.execs.writeStdin(path.id, path.exec_id, body, { ...query, signal });
      return { ok: true };
    },
    resizeExec: async ({ path, body }) => {
      await core.execs.resize(path.id, path.exec_id, body);
      return { ok: true };
    },
    signalExec: async ({ path, body }) => {
      await core.execs.signal(path.id, path.exec_id, body.signal);
      return { ok: true };
    },
  };
}

interface Around {
  /** Comes before all others. */
  readonly first?: SseEvent;
  /** Comes where there is no exit: its `seq` if there is no event at all. */
  readonly endBehind?: number;
}

/** An exec's events, as they are sent. No generator, which would hold on to what it has handed out for as long as its reader does not read on. */
class SseEvents implements AsyncIterableIterator<readonly SseEvent[]> {
  readonly #events: AsyncGenerator<readonly OutputEvent[]>;
  #first: SseEvent | undefined;
  #endBehind: number | undefined;

  constructor(events: AsyncGenerator<readonly OutputEvent[]>, { first, endBehind }: Around) {
    this.#events = events;
    this.#first = first;
    this.#endBehind = endBehind;
  }

  async next(): Promise<IteratorResult<readonly SseEvent[]>> {
    if (this.#first !== undefined) {
      const value = [this.#first];
      this.#first = undefined;
      return { done: false, value };
    }
    const batch = await this.#events.next();
    if (batch.done !== true) {
      const last = batch.value.at(-1);
      if (last?.kind === "exit") this.#endBehind = undefined;
      else if (last !== undefined && this.#endBehind !== undefined) this.#endBehind = last.seq;
      return { done: false, value: batch.value.map(sseEvent) };
    }
    if (this.#endBehind === undefined) return { done: true, value: undefined };
    const end = [endEvent(this.#endBehind)];
    this.#endBehind = undefined;
    return { done: false, value: end };
  }

  async return(): Promise<IteratorResult<readonly SseEvent[]>> {
    await this.#events.return(undefined);
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Asked for by its name: whoever takes anything gets what every client knows. */
function acceptsEvents(accept: string | undefined): boolean {
  const ranges = accept?.split(",").map((range) => range.split(";")[0]?.trim().toLowerCase());
  return ranges?.includes("text/event-stream") ?? false;
}

/** What a browser sends when it connects again; it is newer than the `after` of the URL. */
function lastEventId(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === "") return undefined;
  return validate(eventsQuerySchema, { after: String(header) }, "Last-Event-ID").after;
}

function endEvent(seq: number): SseEvent {
  const data: EndEvent = { seq };
  return { event: "end", id: seq, data };
}

/** Readers that keep up have the same events of the store: so they have the same of these. */
const sseEvents = new WeakMap<OutputEvent, SseEvent>();

function sseEvent(event: OutputEvent): SseEvent {
  const known = sseEvents.get(event);
  if (known !== undefined) return known;
  const made = toSse(event);
  sseEvents.set(event, made);
  return made;
}

function toSse(event: OutputEvent): SseEvent {
  const { seq } = event;
  if (event.kind === "exit") {
    const data: ExitEvent = { stream: null, data: event.data, seq };
    return { event: "exit", id: seq, data };
  }
  if (event.kind === "gap") {
    const data: LogEvent = { stream: "stderr", data: event.data, seq, truncated: true, skipped_bytes: event.bytes };
    return { event: "log", id: seq, data };
  }
  const data: LogEvent = {
    stream: event.stream,
    data: event.data,
    seq,
    ...(event.base64 ? { encoding: "base64" } : {}),
    ...(event.truncated ? { truncated: true } : {}),
    ...(event.atMs === null ? {} : { time: new Date(event.atMs).toISOString() }),
  };
  return { event: "log", id: seq, data };
}
