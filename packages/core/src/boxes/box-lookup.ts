import { type BoxAction, BoxRunError, type BoxStatus, boxAllows } from "@boxrun/contract";
import { findByPrefix } from "../id-prefix.ts";
import type { BoxRecord, Store } from "../ports/store.ts";

/**
 * By id, by name, or by the beginning of an id where only one begins so; in this order. BOX_NOT_FOUND; VALIDATION_ERROR where several
 * begin so.
 */
export function findBox(store: Store, idOrName: string): BoxRecord {
  const box =
    store.boxes.get(idOrName) ??
    store.boxes.getByName(idOrName) ??
    findByPrefix("box", idOrName, (prefix) => store.boxes.startingWith(prefix));
  if (box === undefined) throw new BoxRunError("BOX_NOT_FOUND", `There is no box ${JSON.stringify(idOrName)}`);
  return box;
}

/** Refuses with the state table's code, and with what the box says of its state. */
export function requireAllowed(box: BoxRecord, action: BoxAction): void {
  const verdict = boxAllows(action, box.status);
  if (verdict !== true) {
    const why = box.errorMessage === null ? "" : `: ${box.errorMessage}`;
    const condition = box.status === "running" && action === "commit" ? runningNow(box) : conditions[box.status];
    throw new BoxRunError(verdict, `Cannot ${verbs[action]} box ${box.name ?? box.id}: it ${condition}${why}`);
  }
}

/** Whoever wants an image of it has to stop it, and may not know. */
const runningNow = (box: BoxRecord) => `is running; stop it first: \`boxrun stop ${box.name ?? box.id}\``;

const verbs: Record<BoxAction, string> = {
  start: "start",
  stop: "stop",
  exec: "use",
  remove: "remove",
  forceRemove: "remove",
  commit: "make an image of",
};

const conditions: Record<BoxStatus, string> = {
  creating: "is being created",
  running: "is running",
  stopped: "is stopped",
  error: "is in the state error",
};
