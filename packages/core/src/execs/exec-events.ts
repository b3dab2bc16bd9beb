import type { OutputEvent, Store } from "../ports/store.ts";
import type { Wakeups } from "../wakeups.ts";
import { failedEnd } from "./exec-pump.ts";
import type { Readers } from "./readers.ts";

interface ReadOptions {
  readonly id: string;
  readonly after: number;
  /** `false`: what there is, and no more. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
  readonly store: Pick<Store, "output" | "execs">;
  /** Tell that there is more. */
  readonly wakeups: Wakeups;
  /** Whether there may be more. */
  readonly isActive: () => boolean;
  /** Who is waited for; this one will be among them. */
  readonly readers: Readers | undefined;
}

/** What one read of the store hands to a reader: about one event, so that a slow reader is seen to move. */
const readBytes = 64 * 1024;

/**
 * An exec's events behind `after`, in batches: in order, every event once; ends behind the exit event, or with `follow: false` behind
 * what there is. Reads from the store only, woken by what is stored: so a late reader misses nothing that is kept.
 */
export async function* readEvents(options: ReadOptions): AsyncGenerator<readonly OutputEvent[]> {
  const { id, follow, signal, store, readers } = options;
  using wakeup = options.wakeups.subscribe(id);
  const reader = readers?.join(options.after);
  let cursor = options.after;
  let position: number | undefined;
  // Handed out with it: a reader that stands still holds nothing here.
  const batch: { events: readonly OutputEvent[] } = { events: [] };
  const take = () => {
    const { events } = batch;
    batch.events = [];
    return events;
  };
  const load = (): "exit" | "more" | "nothing" => {
    batch.events = store.output.read(id, cursor, readBytes, position);
    const last = batch.events.at(-1);
    if (last === undefined) return "nothing";
    const begin = position ?? 0;
    cursor = last.seq;
    position = endOf(last) ?? position;
    reader?.gives(cursor, (position ?? begin) - begin, last.kind === "exit");
    return last.kind === "exit" ? "exit" : "more";
  };
  try {
    while (!signal.aborted) {
      const found = load();
      if (found !== "nothing") {
        yield take();
        reader?.takes();
        if (found === "exit") return;
        continue;
      }
      reader?.isUpToDate();
      if (follow && options.isActive()) {
        await wakeup.next(signal);
        continue;
      }
      const exec = store.execs.get(id);
      if (exec === undefined) yield [unstoredExit(cursor, "The box was removed")];
      else if (exec.status === "running" && follow) yield [unstoredExit(cursor, "Its end could not be stored")];
      return;
    }
  } finally {
    if (reader !== undefined) readers?.leave(reader);
  }
}

/** How much output of an exec is behind a reader of this event; `undefined` where that is not known. */
function endOf(event: OutputEvent): number | undefined {
  return event.kind !== "log" || event.position === null ? undefined : event.position + event.bytes;
}

/** Ends a reader's stream where the store has no exit event for it. */
function unstoredExit(after: number, message: string): OutputEvent {
  return { kind: "exit", seq: after + 1, data: JSON.stringify(failedEnd(message).exitData) };
}
