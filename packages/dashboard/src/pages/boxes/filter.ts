import type { Box, BoxStatus } from "boxrun-sdk";

export interface BoxFilter {
  /** Each of its words has to be somewhere in the box's name, id, image, engine, state or labels. */
  readonly search: string;
  readonly status: BoxStatus | "all";
}

export function filterBoxes(boxes: readonly Box[], { search, status }: BoxFilter): Box[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return boxes.filter((box) => {
    if (status !== "all" && box.status !== status) return false;
    const text = [box.name ?? "", box.id, box.image, box.engine, box.status, ...labelTexts(box)]
      .join(" ")
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** `team=ci`, or a name alone that has no value. */
export function labelTexts({ labels = {} }: Pick<Box, "labels">): string[] {
  return Object.entries(labels).map(([name, value]) => (value === "" ? name : `${name}=${value}`));
}

export function countByStatus(boxes: readonly Box[]): Readonly<Record<BoxStatus, number>> {
  const counts = { creating: 0, running: 0, stopped: 0, error: 0 };
  for (const { status } of boxes) counts[status] += 1;
  return counts;
}
