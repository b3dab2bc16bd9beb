import type { BoxStats } from "boxrun-sdk";
import { describe, expect, it } from "vitest";
import { noUsage, seriesOf, withReading } from "../src/api/usage-series.ts";

const startMs = Date.parse("2026-01-01T00:00:00Z");

function reading(seconds: number, more: Partial<BoxStats> = {}): BoxStats {
  return {
    box_id: "box_aaaaaaaaaaaa",
    at: new Date(startMs + seconds * 1000).toISOString(),
    guest: "answered",
    guest_error: null,
    cpu_percent: 10,
    cpus: 1,
    memory_bytes: 100,
    memory_limit_bytes: 1000,
    disk_bytes: 5,
    disk_size_bytes: 50,
    network_received_bytes: seconds * 1000,
    network_sent_bytes: null,
    processes: 3,
    host_cpu_percent: 20,
    host_memory_bytes: 200,
    host_proportional_memory_bytes: null,
    ...more,
  };
}

describe("what a box uses over time", () => {
  it("is what the host sees where the box does not tell", () => {
    const silent = { cpu_percent: null, memory_bytes: null };
    expect(withReading(noUsage, reading(2, silent), undefined)).toMatchObject({ cpuPercent: [20], memoryBytes: [200] });
    const column = [null, 1];
    const history = {
      step_seconds: 10,
      at: [1, 2],
      cpu_percent: column,
      memory_bytes: column,
      disk_bytes: column,
      network_received_per_second: column,
      network_sent_per_second: column,
      processes: column,
      host_cpu_percent: [7, 8],
      host_memory_bytes: [70, 80],
    };
    expect(seriesOf(history)).toMatchObject({ cpuPercent: [7, 1], memoryBytes: [70, 1], diskBytes: [null, 1] });
  });

  it("has of the network what came since the reading before, and nothing of one that began anew", () => {
    const [one, two] = [reading(2), reading(4)];
    const series = withReading(withReading(noUsage, one, undefined), two, one);
    expect(series).toMatchObject({ receivedPerSecond: [null, 1000], sentPerSecond: [null, null] });
    const restarted = reading(6, { network_received_bytes: 10 });
    expect(withReading(series, restarted, two).receivedPerSecond.at(-1)).toBeNull();
  });

  it("keeps an hour, and takes no reading that is older than what it has", () => {
    let series = noUsage;
    for (let seconds = 0; seconds <= 4_000; seconds += 10) series = withReading(series, reading(seconds), undefined);
    expect(series.at).toHaveLength(361);
    expect(series.at[0]).toBe(startMs / 1000 + 400);
    expect(series.cpuPercent).toHaveLength(361);
    expect(withReading(series, reading(100), undefined)).toBe(series);
  });
});
