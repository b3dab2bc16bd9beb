import type { Box } from "boxrun-sdk";

export const boxTabs = ["overview", "execs", "terminal", "files", "history", "settings"] as const;
export type BoxTab = (typeof boxTabs)[number];

/** Where a box is shown. By its id: names can be given away again. */
export function boxPath(box: Pick<Box, "id">, tab?: BoxTab): string {
  return `/boxes/${encodeURIComponent(box.id)}${tab === undefined || tab === "overview" ? "" : `/${tab}`}`;
}
