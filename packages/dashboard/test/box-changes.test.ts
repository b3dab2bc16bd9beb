import type { Box, Exec } from "boxrun-sdk";
import { describe, expect, it } from "vitest";
import { withBoxEvents, withExec } from "../src/api/box-changes.ts";

function box(letter: string, status: Box["status"] = "running"): Box {
  return {
    id: `box_${letter.repeat(12)}`,
    name: letter,
    status,
    image: "base",
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
  };
}

const [a, b, c] = [box("a"), box("b"), box("c")];

describe("the list of boxes after events", () => {
  it("has what is new first, and everything else where it was, the very same", () => {
    const stopped = box("a", "stopped");
    const after = withBoxEvents(
      [b, a],
      [
        { event: "box", data: c },
        { event: "box", data: stopped },
      ],
    );
    expect(after).toEqual([c, b, stopped]);
    expect(after[1]).toBe(b);
  });

  it("has no box that is removed, and one that came and went leaves nothing", () => {
    const after = withBoxEvents(
      [b, a],
      [
        { event: "box_removed", data: { id: a.id } },
        { event: "box", data: c },
        { event: "box_removed", data: { id: c.id } },
      ],
    );
    expect(after).toEqual([b]);
  });

  it("is the very same list where nothing concerns it", () => {
    const boxes = [b, a];
    expect(withBoxEvents(boxes, [])).toBe(boxes);
  });
});

describe("the list of execs", () => {
  const exec = (id: string, status: Exec["status"]): Exec => ({
    id,
    box_id: a.id,
    status,
    cmd: ["true"],
    env: null,
    workdir: null,
    timeout_ms: null,
    exit_code: null,
    error_message: null,
    created_at: a.created_at,
    finished_at: null,
    user: null,
    tty: false,
  });

  it("has a new one first, and a known one in its place", () => {
    const before = [exec("exec_1", "running")];
    expect(withExec(before, exec("exec_2", "running")).map(({ id }) => id)).toEqual(["exec_2", "exec_1"]);
    expect(withExec(before, exec("exec_1", "failed"))).toEqual([exec("exec_1", "failed")]);
  });
});
