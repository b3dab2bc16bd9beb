import { setTimeout as delay } from "node:timers/promises";
import { ClientError, type ServerEvent } from "boxrun-sdk";
import type { Session } from "./session.ts";

export type StateChange =
  | ServerEvent
  /** The server tells from now on: read the state anew, for changes that came before are not told. */
  | { readonly event: "connected" }
  /** The connection is lost; it is tried again. */
  | { readonly event: "lost"; readonly error: ClientError; readonly attempts: number };

const firstPauseMs = 100;
const longestPauseMs = 2_000;

/** Every change of state, over restarts of the server; ends with the signal's reason only. */
export async function* stateChanges({
  client,
  signal,
  bringBack,
}: Pick<Session, "client" | "signal" | "bringBack">): AsyncGenerator<StateChange> {
  let attempts = 0;
  // In order, and so for a reason: it is waited for, not started again.
  let hasStopped = false;
  for (;;) {
    const opened = Promise.withResolvers<{ readonly event: "connected" }>();
    // Ends a wait for the next event, which a generator's own return() would wait for.
    const over = new AbortController();
    const connection = AbortSignal.any([signal, over.signal]);
    const events = client.events({ signal: connection, onOpen: () => opened.resolve({ event: "connected" }) });
    try {
      const first = events.next();
      // Its failure is looked at below; the race may be over by then.
      first.catch(() => undefined);
      const connected = await Promise.race([opened.promise, first.then(() => opened.promise)]);
      attempts = 0;
      hasStopped = false;
      yield connected;
      for (let next = await first; !next.done; next = await events.next()) yield next.value;
      hasStopped = true;
      throw new ClientError("CONNECTION_FAILED", "The server has ended");
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ClientError && error.code === "CONNECTION_FAILED")) throw error;
      attempts += 1;
      yield { event: "lost", error, attempts };
      const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** attempts);
      await delay(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
      if (!hasStopped) await bringBack();
    } finally {
      over.abort();
    }
  }
}
