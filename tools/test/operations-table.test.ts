import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { withOperations } from "../docs/operations-table.ts";

it("docs/rest.md lists every operation of the API; else run node tools/openapi.ts", () => {
  const page = readFileSync(new URL("../../docs/rest.md", import.meta.url), "utf8");
  expect(page).toBe(withOperations(page));
});
