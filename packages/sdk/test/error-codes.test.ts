import { readFileSync } from "node:fs";
import { errorCodes } from "@boxrun/contract/plain";
import { describe, expect, it } from "vitest";
import { ClientError, CommandFailed } from "../src/index.ts";

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

/** That the docs list the table is a test of the contract's. */
describe("the error codes of the table", () => {
  it("are those of the Python SDK", () => {
    const [, list = ""] =
      /^class Error\(TypedDict\):\s+code: Literal\[(.*?)\]/ms.exec(read("python/src/boxrun_sdk/_wire.py")) ?? [];
    expect([...list.matchAll(/"(\w+)"/g)].map(([, code]) => code)).toEqual(errorCodes);
  });

  it("are not those that clients add, which the docs name too", () => {
    const added = [
      new ClientError("CONNECTION_FAILED", "").code,
      new ClientError("INVALID_ANSWER", "").code,
      new ClientError("SERVER_START_FAILED", "").code,
      new CommandFailed(["x"], { exitCode: 1, errorMessage: null, stderr: "" }).code,
    ];
    expect(added.filter((code) => errorCodes.some((known) => known === code))).toEqual([]);
    const page = read("docs/errors.md");
    expect(added.filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  });
});
