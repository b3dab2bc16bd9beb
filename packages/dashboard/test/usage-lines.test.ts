import type { StatsOverview } from "boxrun-sdk";
import { beforeEach, expect, it } from "vitest";
import { linePoints, UsageLines } from "../src/api/usage-lines.ts";

let lines: UsageLines;
beforeEach(() => {
  lines = new UsageLines();
});

function use(box_id: string, cpu_percent: number | null, recent?: readonly (number | null)[]): StatsOverview {
  return {
    box_id,
    at: "2026-01-01T00:00:00.000Z",
    guest: "answered",
    guest_error: null,
    cpu_percent,
    cpus: 1,
    memory_bytes: 100,
    memory_limit_bytes: 1000,
    disk_bytes: 5,
    disk_size_bytes: 50,
    network_received_bytes: null,
    network_sent_bytes: null,
    processes: 3,
    host_cpu_percent: 20,
    host_memory_bytes: 200,
    host_proportional_memory_bytes: null,
    ...(recent === undefined
      ? {}
      : {
          recent: {
            at: recent.map((_, index) => index),
            cpu_percent: [...recent],
            memory_bytes: recent.map(() => 100),
          },
        }),
  };
}

const tell = (...data: StatsOverview[]) => lines.apply({ event: "stats", data });
const step = () => lines.apply({ event: "step", data: { at: 0, boxes: 0 } });

it("a box that is told of has what it used before, and then what it uses", () => {
  tell(use("one", 3, [1, 2, 3]));
  step();
  tell(use("one", 4));
  expect(lines.of("one")).toMatchObject({ cpuPercent: 4, cpuLine: [1, 2, 3, 4] });
});

it("a box that is not told of goes on as it was, and tells nobody once its line is flat", () => {
  tell(use("one", 5, [9, 5]));
  step();
  step();
  expect(lines.of("one")?.cpuLine).toEqual([9, 5, 5]);
  let told = 0;
  lines.subscribe("one", () => {
    told += 1;
  });
  for (let count = 0; count < 100; count += 1) step();
  expect(lines.of("one")?.cpuLine).toEqual(Array(linePoints).fill(5));
  expect(told).toBe(linePoints - 2);
});

it("a box whose CPU only the host sees is told by what the host sees", () => {
  tell(use("one", null, []));
  expect(lines.of("one")?.cpuPercent).toBe(20);
});

it("only who looks at a box is told of it", () => {
  const told: string[] = [];
  const leave = lines.subscribe("one", () => told.push("one"));
  lines.subscribe("other", () => told.push("other"));
  tell(use("one", 1));
  leave();
  tell(use("one", 2));
  expect(told).toEqual(["one"]);
});

it("what a server that begins anew does not name is gone", () => {
  tell(use("one", 1), use("other", 1));
  step();
  lines.begin();
  tell(use("other", 2));
  step();
  expect(lines.of("one")).toBeUndefined();
  expect(lines.of("other")?.cpuPercent).toBe(2);
});
