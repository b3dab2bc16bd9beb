import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { cliReference } from "../docs/cli-reference.ts";

it("docs/cli.md is what the commands say of themselves; `node tools/cli-reference.ts` writes it anew", async () => {
  expect(readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8")).toBe(await cliReference());
});
