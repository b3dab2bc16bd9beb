import type { Box } from "@boxrun/contract";
import { boxListing, statusCell } from "../listings/boxes.ts";
import { hideLive } from "../output/live-area.ts";
import { print } from "../output/streams.ts";
import { table } from "../output/table.ts";
import { jsonText, oneLine, styled } from "../output/text.ts";
import type { Session } from "../session.ts";
import { stateChanges } from "../state-changes.ts";
import { LiveScreen } from "./live-screen.ts";

type BoxChange =
  | { readonly event: "box"; readonly data: Box }
  | { readonly event: "box_removed"; readonly data: { readonly id: string } };

interface Watch {
  readonly list: () => Promise<Box[]>;
  readonly matches: (box: Box) => boolean;
  /** As it is shown. */
  readonly mask: (box: Box) => Box;
}

/** Shows boxes as they are, until the session's signal aborts: a table drawn anew on a terminal, else a line per change. */
export async function watchBoxes(session: Session, watch: Watch): Promise<void> {
  if (process.stdout.isTTY && !session.reporter.json) await watchOnScreen(session, watch);
  else await printChanges(session, watch);
}

async function watchOnScreen(session: Session, watch: Watch): Promise<void> {
  const boxes = new BoxSet();
  let trouble: string | undefined;
  hideLive();
  using screen = new LiveScreen(({ columns }) => {
    const shown = table(boxListing.columns, boxes.newestFirst().filter(watch.matches), columns);
    return trouble === undefined ? shown : `${styled("yellow", trouble)}\n${shown}`;
  });
  for await (const change of stateChanges(session)) {
    trouble = change.event === "lost" ? `${oneLine(change.error.message)} Trying again…` : undefined;
    if (change.event === "connected") boxes.replace(await watch.list());
    else if (change.event === "box" || change.event === "box_removed") boxes.apply(change);
    screen.redraw();
  }
}

/** First the boxes that there are, the oldest first; after a reconnection what has changed meanwhile. */
async function printChanges(session: Session, { list, matches, mask }: Watch): Promise<void> {
  const boxes = new BoxSet();
  const printChange = async (change: BoxChange) => {
    const before = boxes.get(change.data.id);
    boxes.apply(change);
    // One that no longer matches is told of once more, so that it is known to be gone.
    const isWatched = (before !== undefined && matches(before)) || (change.event === "box" && matches(change.data));
    if (!isWatched) return;
    const shown = change.event === "box" ? { ...change, data: mask(change.data) } : change;
    if (session.reporter.json) await print(`${jsonText(shown)}\n`);
    else await print(changeLine(change, before));
  };
  for await (const change of stateChanges(session)) {
    if (change.event === "lost" && change.attempts === 1) {
      session.reporter.note(`${change.error.message} Trying again…`, {});
    } else if (change.event === "connected") {
      for (const missed of boxes.changesTo(await list())) await printChange(missed);
    } else if (change.event === "box" || change.event === "box_removed") {
      await printChange(change);
    }
  }
}

function changeLine(change: BoxChange, before: Box | undefined): string {
  const box = change.event === "box" ? change.data : before;
  const status = change.event === "box" ? statusCell(change.data).text : "removed";
  const words = [new Date().toISOString(), change.data.id, box?.name ?? "-", status, box?.image ?? "-"];
  return `${oneLine(words.join("  "))}\n`;
}

/** What is known of the boxes. */
class BoxSet {
  #boxes = new Map<string, Box>();

  get(id: string): Box | undefined {
    return this.#boxes.get(id);
  }

  newestFirst(): Box[] {
    return [...this.#boxes.values()].toSorted((a, b) => b.created_at.localeCompare(a.created_at));
  }

  replace(boxes: readonly Box[]): void {
    this.#boxes = new Map(boxes.toReversed().map((box) => [box.id, box]));
  }

  apply(change: BoxChange): void {
    if (change.event === "box") this.#boxes.set(change.data.id, change.data);
    else this.#boxes.delete(change.data.id);
  }

  /** What must have happened since, if these are the boxes now. */
  changesTo(boxes: readonly Box[]): BoxChange[] {
    const ids = new Set(boxes.map(({ id }) => id));
    const removed = [...this.#boxes.keys()].filter((id) => !ids.has(id));
    const changed = boxes.toReversed().filter((box) => JSON.stringify(this.#boxes.get(box.id)) !== JSON.stringify(box));
    return [
      ...removed.map((id): BoxChange => ({ event: "box_removed", data: { id } })),
      ...changed.map((data): BoxChange => ({ event: "box", data })),
    ];
  }
}
