import type { Box } from "boxrun-sdk";
import { useUsageOf } from "../api/stats.ts";
import { Sparkline } from "../ui/sparkline.tsx";
import { bytesText, megabytesText } from "../util/bytes.ts";

/** What a box uses of its CPUs, else how many it has. */
export function CpuUse({ box }: { readonly box: Box }) {
  const usage = useUsageOf(box.id);
  const percent = usage?.cpuPercent ?? null;
  if (box.status !== "running" || usage === undefined || percent === null) {
    return <span className="quiet">{box.cpu === 1 ? "1 core" : `${box.cpu} cores`}</span>;
  }
  return (
    <span className="use" title={`${percent.toFixed(1)} % of a core; the box has ${box.cpu}`}>
      <Sparkline values={usage.cpuLine} max={100} />
      {Math.round(percent)} %
    </span>
  );
}

/** What a box uses of its memory, else how much it has. */
export function MemoryUse({ box }: { readonly box: Box }) {
  const usage = useUsageOf(box.id);
  if (box.status !== "running" || usage === undefined) {
    return <span className="quiet">{megabytesText(box.memory_mb)}</span>;
  }
  return (
    <span className="use" title={`${bytesText(usage.memoryBytes)} of ${megabytesText(box.memory_mb)}`}>
      <Sparkline values={usage.memoryLine} max={usage.memoryLimitBytes} />
      {bytesText(usage.memoryBytes)}
    </span>
  );
}
