import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { longest } from "../test-run/longest-first.ts";

it.each(longest)("the long test file %s is there", (file) => {
  expect(existsSync(new URL(`../../${file}`, import.meta.url))).toBe(true);
});
