import type { BoxStats, StatsHistory } from "boxrun-sdk";

/** What a box has used over time: columns of equal length, oldest first, as charts take them. `null` where nobody knows. */
export interface UsageSeries {
  /** Seconds since the epoch. */
  readonly at: readonly number[];
  readonly cpuPercent: readonly (number | null)[];
  readonly memoryBytes: readonly (number | null)[];
  readonly diskBytes: readonly (number | null)[];
  readonly receivedPerSecond: readonly (number | null)[];
  readonly sentPerSecond: readonly (number | null)[];
}

/** How much of it is kept, in seconds. */
const keptSeconds = 3_600;

export const noUsage: UsageSeries = {
  at: [],
  cpuPercent: [],
  memoryBytes: [],
  diskBytes: [],
  receivedPerSecond: [],
  sentPerSecond: [],
};

export function seriesOf(history: StatsHistory): UsageSeries {
  return {
    at: history.at,
    cpuPercent: history.cpu_percent.map((own, index) => own ?? history.host_cpu_percent[index] ?? null),
    memoryBytes: history.memory_bytes.map((own, index) => own ?? history.host_memory_bytes[index] ?? null),
    diskBytes: history.disk_bytes,
    receivedPerSecond: history.network_received_per_second,
    sentPerSecond: history.network_sent_per_second,
  };
}

/** With a reading at its end, and without what is too old. What went over the network since is told by the reading before it. */
export function withReading(series: UsageSeries, now: BoxStats, before: BoxStats | undefined): UsageSeries {
  const at = Date.parse(now.at) / 1000;
  if (at <= (series.at.at(-1) ?? 0)) return series;
  const from = series.at.findIndex((time) => time >= at - keptSeconds);
  const add = <Value>(column: readonly Value[], value: Value): Value[] => [
    ...(from === -1 ? [] : column.slice(from)),
    value,
  ];
  return {
    at: add(series.at, at),
    cpuPercent: add(series.cpuPercent, now.cpu_percent ?? now.host_cpu_percent),
    memoryBytes: add(series.memoryBytes, now.memory_bytes ?? now.host_memory_bytes),
    diskBytes: add(series.diskBytes, now.disk_bytes),
    receivedPerSecond: add(series.receivedPerSecond, rate(now, before, "network_received_bytes")),
    sentPerSecond: add(series.sentPerSecond, rate(now, before, "network_sent_bytes")),
  };
}

function rate(
  now: BoxStats,
  before: BoxStats | undefined,
  field: "network_received_bytes" | "network_sent_bytes",
): number | null {
  const [to, from] = [now[field], before?.[field]];
  if (before === undefined || to === null || from === null || from === undefined || to < from) return null;
  const seconds = (Date.parse(now.at) - Date.parse(before.at)) / 1000;
  return seconds > 0 ? (to - from) / seconds : null;
}
