import type { Box, Exec, ServerEvent } from "boxrun-sdk";

/** The list after these events; what they do not touch stays the very same object, so that its row is not drawn again. */
export function withBoxEvents(boxes: readonly Box[], events: readonly ServerEvent[]): readonly Box[] {
  const changed = new Map<string, Box | undefined>();
  for (const { event, data } of events) {
    if (event === "box") {
      // Set anew, so that a box that is new comes in the order of its last event.
      changed.delete(data.id);
      changed.set(data.id, data);
    } else if (event === "box_removed") changed.set(data.id, undefined);
  }
  if (changed.size === 0) return boxes;
  const kept: Box[] = [];
  for (const box of boxes) {
    if (!changed.has(box.id)) kept.push(box);
    else {
      const now = changed.get(box.id);
      if (now !== undefined) kept.push(now);
      changed.delete(box.id);
    }
  }
  const added = [...changed.values()].filter((box) => box !== undefined);
  return added.length === 0 ? kept : [...added.reverse(), ...kept];
}

/** The list, newest first, with this exec as it is now. */
export function withExec(execs: readonly Exec[], exec: Exec): readonly Exec[] {
  const index = execs.findIndex(({ id }) => id === exec.id);
  return index === -1 ? [exec, ...execs] : execs.with(index, exec);
}
