import type { BoxStats } from "boxrun-sdk";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { backoffMs, pause } from "../util/backoff.ts";
import { whileSeen } from "../util/visibility.ts";
import { client } from "./client.ts";
import { isLostConnection } from "./failure.ts";
import { type BoxUse, linePoints, UsageLines } from "./usage-lines.ts";
import { noUsage, seriesOf, type UsageSeries, withReading } from "./usage-series.ts";

const lines = new UsageLines();

/** Keeps what all boxes use as the server tells it, for as long as it is mounted, and somebody sees the page. */
export function useUsageOfAll(): void {
  useEffect(() => {
    const leave = new AbortController();
    void whileSeen(followAll, leave.signal);
    return () => leave.abort();
  }, []);
}

async function followAll(signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      lines.begin();
      for await (const event of client.stats.followAll({ points: linePoints, signal })) {
        failures = 0;
        lines.apply(event);
      }
    } catch {
      // Why the server can't be reached is said elsewhere on the page.
    }
    await pause(backoffMs(failures), signal);
  }
}

/** What a box uses, as `useUsageOfAll` has it. */
export function useUsageOf(boxId: string): BoxUse | undefined {
  const subscribe = useCallback((listener: () => void) => lines.subscribe(boxId, listener), [boxId]);
  return useSyncExternalStore(subscribe, () => lines.of(boxId));
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
