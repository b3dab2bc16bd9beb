import type { Exec, ExecInput, ExitData, LogEvent } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import { ClientError } from "./errors.ts";
import type { CallOptions, Http } from "./http.ts";
import { isPassing, pause, retryDelaysMs } from "./reconnect.ts";
import { type RepeatableOptions, untilAnswered } from "./repeat.ts";
import type { Contract } from "./shape.ts";
import { readSse, type SseEvent } from "./sse.ts";

/** One event of an exec: a piece of output, or its end. `seq` counts from 1, without gaps. */
export type ExecEvent =
  | ({ readonly event: "log" } & LogEvent)
  | ({ readonly event: "exit"; readonly seq: number } & ExitData);

/** The first event of an exec that is started and followed at once. */
export interface ExecStarted {
  readonly event: "exec";
  readonly exec: Exec;
}

export interface ExecEventsOptions extends CallOptions {
  /** Events up to and with this `seq` are left out. */
  readonly after?: number | undefined;
  /** `false`: what there is by now and no more; an exec that runs on then has no exit event here. */
  readonly follow?: boolean | undefined;
}

/**
 * Starts a command and follows it in one exchange: the exec, then its events as `execEvents` has them. A connection that is lost before
 * the exec is known is opened again under the same key, and the command started once.
 */
export async function* startAndFollow(
  http: Http,
  boxId: string,
  input: ExecInput,
  options: RepeatableOptions,
): AsyncGenerator<ExecStarted | ExecEvent> {
  const url = urls.startExec(boxId);
  const { signal } = options;
  const begin = async (headers: Readonly<Record<string, string>>) => {
    const open = (connection: AbortSignal) =>
      http.open("POST", url, { signal: connection, headers: { ...headers, accept: "text/event-stream" }, json: input });
    const answer = readSse(http, { open, signal });
    const { value: first } = await answer.next();
    if (first !== undefined) return { answer, first };
    throw new ClientError("CONNECTION_FAILED", `${http.address} ended the answer to POST ${url} before it began`);
  };
  const { answer, first } = await untilAnswered(http, options, begin);
  try {
    const exec = await http.parse(first.response, shapes.exec, first.data, `POST ${url}`);
    yield { event: "exec", exec };
    // An older server answers with the exec alone.
    const connection = first.event === "exec" ? answer : undefined;
    yield* execEvents(http, { boxId: exec.box_id, execId: exec.id }, { signal }, connection);
  } finally {
    await answer.return(undefined);
  }
}

/**
 * Every event once, in order, and the exit event last. A connection that is lost before it is opened again behind the last event seen
 * (`Last-Event-ID`), so that a restart of the server is a pause and no more. CONNECTION_FAILED once no attempt gets through any
 * more; the attempts start afresh with every event that arrives. `connection`: one that is open already.
 */
export async function* execEvents(
  http: Http,
  target: { readonly boxId: string; readonly execId: string },
  { after = 0, follow = true, signal }: ExecEventsOptions,
  connection?: AsyncIterable<SseEvent>,
): AsyncGenerator<ExecEvent> {
  const url = urls.execEvents(target.boxId, target.execId, follow ? {} : { follow });
  let seen = after;
  let failures = 0;
  let opened = connection;
  let wasConnected = opened !== undefined;
  let hasStopped = false;
  for (;;) {
    try {
      if (failures > 0 && !hasStopped) await http.bringBack();
      const open = async (connectionSignal: AbortSignal) => {
        const response = await http.open("GET", url, {
          signal: connectionSignal,
          headers: { accept: "text/event-stream", ...(seen > 0 ? { "last-event-id": String(seen) } : {}) },
        });
        wasConnected = true;
        return response;
      };
      const events = opened ?? readSse(http, { open, signal });
      opened = undefined;
      for await (const sse of events) {
        if (sse.event === "end") return;
        const event = await parseEvent(http, sse);
        if (event === undefined || event.seq <= seen) continue;
        seen = event.seq;
        failures = 0;
        hasStopped = false;
        yield event;
        if (event.event === "exit") return;
      }
      hasStopped = true;
      throw new ClientError(
        "CONNECTION_FAILED",
        `${http.address} ended the events of ${target.execId} before its exit`,
      );
    } catch (error) {
      signal?.throwIfAborted();
      const delayMs = retryDelaysMs[failures];
      if (!wasConnected || !isPassing(error) || delayMs === undefined) throw error;
      failures += 1;
      await pause(delayMs, signal);
    }
  }
}

const shapes = {
  exec: (contract: Contract) => contract.execSchema,
  log: (contract: Contract) => contract.logEventSchema,
  exit: (contract: Contract) => contract.exitEventSchema,
  exitData: (contract: Contract) => contract.exitDataSchema,
};

async function parseEvent(http: Http, { event, data, response }: SseEvent): Promise<ExecEvent | undefined> {
  if (event === "log") return { event, ...(await http.parse(response, shapes.log, data, "A log event")) };
  if (event !== "exit") return undefined;
  const exit = await http.parse(response, shapes.exit, data, "The exit event");
  const ended = await http.parse(response, shapes.exitData, exit.data, "The exit event's data");
  return { event, seq: exit.seq, ...ended };
}
