import { useQuery } from "@tanstack/react-query";
import type { BoxStats, StatsOverview } from "boxrun-sdk";
import { useEffect, useState } from "react";
import { backoffMs, pause } from "../util/backoff.ts";
import { client } from "./client.ts";
import { isLostConnection } from "./failure.ts";
import { keys } from "./keys.ts";
import { noUsage, seriesOf, type UsageSeries, withReading } from "./usage-series.ts";

/** The server reads what boxes use every 10 s; more often there is nothing new to have. */
const readEveryMs = 10_000;

/** How many of its readings a small line shows: 5 minutes. */
const linePoints = 30;

/** Keeps what all boxes use up to date for as long as it is mounted, and somebody sees the page. One reading of all, not one for each. */
export function useUsageOfAll(): void {
  useQuery({
    queryKey: keys.stats,
    queryFn: ({ signal }) => client.stats.overview({ points: linePoints, signal }),
    refetchInterval: readEveryMs,
    structuralSharing: false,
  });
}

/** What a box uses, as `useUsageOfAll` has it. */
export function useUsageOf(boxId: string): StatsOverview | undefined {
  return useQuery<StatsOverview[], Error, StatsOverview | undefined>({
    queryKey: keys.stats,
    enabled: false,
    select: (all) => all.find(({ box_id }) => box_id === boxId),
  }).data;
}

interface LiveUsage {
  readonly now: BoxStats | undefined;
  readonly series: UsageSeries;
}

/** A running box's last hour, and what it uses as it does. */
export function useLiveUsage(boxId: string, isRunning: boolean): LiveUsage {
  const [usage, setUsage] = useState<LiveUsage>({ now: undefined, series: noUsage });
  useEffect(() => {
    if (!isRunning) return;
    const leave = new AbortController();
    void follow(boxId, setUsage, leave.signal);
    return () => leave.abort();
  }, [boxId, isRunning]);
  return usage;
}

async function follow(boxId: string, tell: (usage: LiveUsage) => void, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      let series = seriesOf(await client.stats.history(boxId, { signal }));
      let before: BoxStats | undefined;
      tell({ now: undefined, series });
      for await (const now of client.stats.follow(boxId, { signal })) {
        failures = 0;
        series = withReading(series, now, before);
        before = now;
        tell({ now, series });
      }
      // The box runs no more.
      return;
    } catch (error) {
      if (signal.aborted || !isLostConnection(error)) return;
      await pause(backoffMs(failures), signal);
    }
  }
}
