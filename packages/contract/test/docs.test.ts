import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { errorTable } from "../src/index.ts";

it("the docs list the error codes of the table, with their statuses and hints", () => {
  const page = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) \| (.+) \|$/gm)].map(([, code, status, hint]) => [
    code,
    Number(status),
    hint,
  ]);
  expect(rows).toEqual(Object.entries(errorTable).map(([code, { status, hint }]) => [code, status, hint]));
});
