import type { QueryClient } from "@tanstack/react-query";
import type { Box, BoxRunClient, Exec, ServerEvent } from "boxrun-sdk";
import { backoffMs, pause } from "../util/backoff.ts";
import { untilSeen, whenHidden } from "../util/visibility.ts";
import { withBoxEvents, withExec } from "./box-changes.ts";
import { type Connection, setConnection } from "./connection.ts";
import { failureOf, isSignedOut } from "./failure.ts";
import { keys } from "./keys.ts";
import { noteEvents } from "./recent.ts";

/** How long events gather before they are shown: a frame. */
const gatherMs = 16;

/** What was asked for while the page connected for the first time is as new as what it is told: it need not be read again. */
let isFirstAttempt = true;

interface Live {
  readonly client: BoxRunClient;
  readonly queries: QueryClient;
  readonly signal: AbortSignal;
}

/**
 * Keeps what the page knows as the server has it, from the server's events: no state is asked for twice. What happens while the connection is
 * lost is caught up with by reading everything anew.
 */
export async function keepLive(live: Live): Promise<void> {
  let failures = 0;
  while (!live.signal.aborted) {
    await untilVisible(live.signal);
    const visit = new AbortController();
    const stopWatching = whenHidden(() => visit.abort());
    try {
      const signal = AbortSignal.any([live.signal, visit.signal]);
      await follow({ ...live, signal }, () => {
        failures = 0;
      });
      throw new Error("The server is stopping.");
    } catch (error) {
      if (live.signal.aborted) return;
      isFirstAttempt = false;
      if (visit.signal.aborted) continue;
      const waitMs = backoffMs(failures);
      failures += 1;
      setConnection(lossOf(error, waitMs));
      await pause(waitMs, live.signal);
    } finally {
      stopWatching();
    }
  }
}

function lossOf(error: unknown, waitMs: number): Connection {
  const why = failureOf(error).message;
  return isSignedOut(error) ? { state: "signed-out", why } : { state: "lost", why, retryAtMs: Date.now() + waitMs };
}

async function follow({ client, queries, signal }: Live, onLive: () => void): Promise<void> {
  let waiting: ServerEvent[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let known = false;
  const failed = Promise.withResolvers<never>();
  // Nobody waits for it once the events have ended by themselves.
  failed.promise.catch(() => undefined);
  const show = () => {
    timer = undefined;
    apply(queries, waiting.splice(0));
  };
  const catchUp = async () => {
    const boxes = await client.boxes.list({ signal });
    queries.setQueryData<readonly Box[]>(keys.boxes, boxes);
    // Events are newer than the list, or were told in it: both ways they end up right.
    known = true;
    show();
    setConnection({ state: "live" });
    onLive();
    if (!isFirstAttempt) {
      void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== keys.boxes[0] });
    }
    isFirstAttempt = false;
  };
  const read = async () => {
    const onOpen = () => void catchUp().catch(failed.reject);
    for await (const event of client.events({ signal, onOpen })) {
      waiting.push(event);
      if (known && timer === undefined) timer = setTimeout(show, gatherMs);
    }
  };
  try {
    await Promise.race([read(), failed.promise]);
  } finally {
    clearTimeout(timer);
    waiting = [];
  }
}

function apply(queries: QueryClient, events: readonly ServerEvent[]): void {
  if (events.length === 0) return;
  queries.setQueryData<readonly Box[]>(keys.boxes, (boxes = []) => withBoxEvents(boxes, events));
  for (const { event, data } of events) {
    if (event !== "exec") continue;
    const key = keys.execs(data.box_id);
    if (queries.isFetching({ queryKey: key }) > 0) void queries.invalidateQueries({ queryKey: key });
    else queries.setQueryData<readonly Exec[]>(key, (execs) => (execs === undefined ? execs : withExec(execs, data)));
  }
  refreshSoon(queries);
  noteEvents(events);
}

/** What no event tells in full is read anew, at most once in this time, in ms. */
const refreshMs = 1_000;
let willRefresh = false;

function refreshSoon(queries: QueryClient): void {
  if (willRefresh) return;
  willRefresh = true;
  setTimeout(() => {
    willRefresh = false;
    for (const queryKey of [keys.info, keys.allHistory]) void queries.invalidateQueries({ queryKey });
  }, refreshMs);
}

/** A page that is opened in the background does connect; one that has given its connection back waits until it is seen. */
let seenOnce = false;

async function untilVisible(signal: AbortSignal): Promise<void> {
  if (seenOnce) await untilSeen(signal);
  seenOnce = true;
}
