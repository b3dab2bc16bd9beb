import { expect, test } from "vitest";
import { matchFiles } from "../src/registry/match-files.ts";

const layers = (sizes: Record<string, number>) =>
  Object.entries(sizes).map(([digest, sizeBytes]) => ({ digest, sizeBytes }));
const files = (sizes: Record<string, number>) =>
  Object.entries(sizes).map(([name, sizeBytes]) => ({ name, sizeBytes }));

test.each([
  ["nothing", {}, {}, {}],
  ["one file of one layer", { f: 0 }, { a: 10 }, { f: "a" }],
  ["a file that is too large for the other layer", { f: 60 }, { a: 100, b: 50 }, { f: "a" }],
  ["what is left when that is known", { f: 60, g: 10 }, { a: 100, b: 50 }, { f: "a", g: "b" }],
  ["nothing where sizes leave a choice", { f: 10, g: 20 }, { a: 100, b: 50 }, {}],
  ["nothing where a layer has no file yet", { f: 10 }, { a: 100, b: 50 }, {}],
  ["nothing for a file that is no layer's", { f: 200 }, { a: 100, b: 50 }, {}],
])("%s", (_, sizes, open, expected) => {
  expect(Object.fromEntries(matchFiles(files(sizes), layers(open)))).toEqual(expected);
});

test("what was known stays known, and helps with the rest, until its layer is complete", () => {
  const known = new Map([["f", "a"]]);
  expect([...matchFiles(files({ f: 10, g: 10 }), layers({ a: 100, b: 50 }), known)]).toEqual([
    ["f", "a"],
    ["g", "b"],
  ]);
  expect([...matchFiles(files({ g: 10 }), layers({ b: 50 }), known)]).toEqual([["g", "b"]]);
});
