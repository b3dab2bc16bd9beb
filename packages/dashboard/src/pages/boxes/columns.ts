import { boxStatuses } from "@boxrun/contract/plain";
import {
  createColumnHelper,
  createSortedRowModel,
  rowSelectionFeature,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_basic,
  tableFeatures,
} from "@tanstack/react-table";
import type { Box } from "boxrun-sdk";
import { boxLabel } from "../../api/boxes.ts";
import { labelTexts } from "./filter.ts";

export const features = tableFeatures({
  rowSortingFeature,
  rowSelectionFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, basic: sortFn_basic },
});

const column = createColumnHelper<typeof features, Box>();

export const columns = column.columns([
  column.accessor(boxLabel, { id: "name", header: "Name", sortFn: "alphanumeric" }),
  column.accessor(({ status }) => boxStatuses.indexOf(status), { id: "state", header: "State", sortFn: "basic" }),
  column.accessor("image", { header: "Image", sortFn: "alphanumeric" }),
  column.accessor((box) => labelTexts(box).join(" "), { id: "labels", header: "Labels", sortFn: "alphanumeric" }),
  column.accessor("engine", { header: "Engine", sortFn: "alphanumeric" }),
  column.accessor("cpu", { header: "CPU", sortFn: "basic" }),
  column.accessor("memory_mb", { id: "memory", header: "Memory", sortFn: "basic" }),
  column.accessor(({ created_at }) => -Date.parse(created_at), { id: "age", header: "Age", sortFn: "basic" }),
]);
