import { describe, expect, it } from "vitest";
import { parseMetrics } from "../src/api/prometheus.ts";
import { withProgress } from "../src/api/pull-layers.ts";
import { freeSessionName } from "../src/pages/box/session-names.ts";
import { countByStatus, filterBoxes } from "../src/pages/boxes/filter.ts";
import { backoffMs } from "../src/util/backoff.ts";
import { bytesText } from "../src/util/bytes.ts";
import { joinPath, normalPath, parentOf, pathParts } from "../src/util/paths.ts";
import { ageText, durationText, shortDuration } from "../src/util/time.ts";

describe("what people read", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KB"],
    [1_048_576 * 12.34, "12.3 MB"],
    [536_870_912, "512 MB"],
    [1_073_741_824 * 1.5, "1.5 GB"],
  ])("%d bytes are %s", (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });

  it.each([
    [0, "0s"],
    [61_000, "1m 1s"],
    [3_600_000, "1h"],
    [3_605_000, "1h"],
    [90_061_000, "1d 1h"],
  ])("%d ms are %s", (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });

  it("short times have a fraction, ages one unit", () => {
    expect([shortDuration(12), shortDuration(1_540), shortDuration(75_000)]).toEqual(["12ms", "1.5s", "1m 15s"]);
    const now = Date.parse("2026-01-02T00:00:00Z");
    expect(ageText("2026-01-01T20:30:00Z", now)).toBe("3h");
    expect(ageText("2026-01-01T23:59:58Z", now)).toBe("now");
  });
});

describe("a path", () => {
  it("is put together and taken apart", () => {
    expect(joinPath("/", "etc")).toBe("/etc");
    expect(joinPath("/etc", "hosts")).toBe("/etc/hosts");
    expect(pathParts("/a/b").map(({ path }) => path)).toEqual(["/", "/a", "/a/b"]);
    expect([parentOf("/a/b"), parentOf("/a")]).toEqual(["/a", "/"]);
    expect(normalPath("/a/./b//../../../c/")).toBe("/c");
  });
});

describe("waiting for a server", () => {
  it("takes longer each time, up to a bound, and not for all pages the same", () => {
    expect([0, 1, 2, 3, 9, 99].map((failures) => backoffMs(failures, 0.5))).toEqual([
      500, 1000, 2000, 4000, 15_000, 15_000,
    ]);
    expect(backoffMs(0, 0)).toBeLessThan(backoffMs(0, 1));
  });
});

describe("the progress of a pull", () => {
  it("keeps a layer's size when a later message does not say it", () => {
    const first = withProgress(new Map(), {
      message: "downloading",
      layer: "sha256:a",
      total_bytes: 10,
      done_bytes: 4,
    });
    const second = withProgress(first, { message: "unpacking", layer: "sha256:a" });
    expect(second.get("sha256:a")).toEqual({ message: "unpacking", doneBytes: 4, totalBytes: 10 });
  });
});

describe("a text of metrics", () => {
  it("is read without its labels and comments", () => {
    expect(parseMetrics('# HELP a b\n# TYPE a counter\na{x="}"} 1.5\nb 2e3\nnot a sample\nc NaN\n')).toEqual([
      { name: "a", value: 1.5 },
      { name: "b", value: 2000 },
    ]);
  });
});

describe("sessions", () => {
  it("get the first number that is free", () => {
    expect(freeSessionName([])).toBe("shell-1");
    expect(freeSessionName(["shell-1", "work", "shell-3"])).toBe("shell-2");
  });
});

describe("a search in the boxes", () => {
  const box = (name: string | null, status: "running" | "stopped") => ({
    id: "box_aaaaaaaaaaaa",
    name,
    status,
    image: "python:3.12-slim",
    cpu: 1,
    memory_mb: 256,
    disk_size_gb: 1,
    network: false,
    workdir: "/root",
    env: null,
    volumes: null,
    boxlite_id: null,
    error_code: null,
    error_message: null,
    created_at: "2026-01-01T00:00:00.000Z",
    started_at: null,
    stopped_at: null,
    engine: "qemu",
    image_digest: null,
  });
  const boxes = [box("Agent", "running"), box(null, "stopped")];

  it("finds each word anywhere, letters of either case", () => {
    expect(filterBoxes(boxes, { search: " PYTHON agent ", status: "all" })).toEqual([boxes[0]]);
    expect(filterBoxes(boxes, { search: "box_a", status: "stopped" })).toEqual([boxes[1]]);
    expect(filterBoxes(boxes, { search: "nothing", status: "all" })).toEqual([]);
  });

  it("counts by state", () => {
    expect(countByStatus(boxes)).toEqual({ creating: 0, running: 1, stopped: 1, error: 0 });
  });
});
