import type { ServerEvent } from "boxrun-sdk";
import { createStore, useStore } from "../util/store.ts";

export interface RecentEvent {
  readonly number: number;
  readonly atMs: number;
  readonly event: ServerEvent;
}

const kept = 200;
const recent = createStore<readonly RecentEvent[]>([]);
let count = 0;

/** Keeps the last events, newest first, for whoever wants to see what happens. */
export function noteEvents(events: readonly ServerEvent[]): void {
  const atMs = Date.now();
  const noted = events.map((event) => {
    count += 1;
    return { number: count, atMs, event };
  });
  recent.set([...noted.reverse(), ...recent.get()].slice(0, kept));
}

export function useRecentEvents(): readonly RecentEvent[] {
  return useStore(recent);
}
