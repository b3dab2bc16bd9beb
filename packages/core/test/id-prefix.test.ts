import { afterEach, beforeEach, expect, it } from "vitest";
import { findByPrefix } from "../src/id-prefix.ts";
import { CoreHarness } from "./support/core.ts";

let harness: CoreHarness;
beforeEach(async () => {
  harness = await CoreHarness.open();
});
afterEach(() => harness[Symbol.asyncDispose]());

it("finds a box and an exec by the beginning of their ids", async () => {
  const box = await harness.create();
  const exec = await harness.start(box.id, ["true"]);
  const { boxes, execs } = harness.core;
  expect(boxes.get(box.id.slice(0, 10)).id).toBe(box.id);
  expect(execs.get(box.id.slice(0, 10), exec.id.slice(0, 11)).id).toBe(exec.id);
  await boxes.remove(box.id.slice(0, 10), { force: true });
  expect(boxes.list()).toEqual([]);
});

it("finds nothing by fewer than four characters of an id, by its middle, or by an exec of another box", async () => {
  const [box, other] = [await harness.create(), await harness.create()];
  const exec = await harness.start(box.id, ["true"]);
  const { boxes, execs } = harness.core;
  for (const word of [box.id.slice(0, 7), "box_", "", box.id.slice(4, 12), `${box.id}x`])
    expect(() => boxes.get(word)).toThrow(expect.objectContaining({ code: "BOX_NOT_FOUND" }));
  for (const [owner, word] of [
    [box.id, exec.id.slice(0, 8)],
    [other.id, exec.id.slice(0, 12)],
  ] as const)
    expect(() => execs.get(owner, word)).toThrow(expect.objectContaining({ code: "EXEC_NOT_FOUND" }));
});

it("refuses a beginning that several share, and lists them", () => {
  const boxes = [
    { id: "box_abcdefghijkl", name: "dev" },
    { id: "box_abcdXXXXXXXX", name: null },
    { id: "box_zzzzXXXXXXXX" },
  ];
  const find = (word: string) => findByPrefix("box", word, (prefix) => boxes.filter(({ id }) => id.startsWith(prefix)));
  expect(() => find("box_abcd")).toThrow(
    expect.objectContaining({
      code: "VALIDATION_ERROR",
      message: expect.stringContaining("box_abcdefghijkl (dev), box_abcdXXXXXXXX"),
      details: { matches: ["box_abcdefghijkl", "box_abcdXXXXXXXX"] },
    }),
  );
  expect(find("box_abcde")).toBe(boxes[0]);
  expect(find("box_zzzz")).toBe(boxes[2]);
});
