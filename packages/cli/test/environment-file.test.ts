import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { environmentFile, environmentInput } from "../src/environment-options.ts";

const dir = mkdtempSync(join(tmpdir(), "boxrun-env-file-"));
afterAll(() => rmSync(dir, { recursive: true }));

function file(content: string | Buffer): string {
  const path = join(dir, "vars");
  writeFileSync(path, content);
  return path;
}

it("has a variable in each line, its value as it stands", () => {
  const read = environmentFile(file(`# a comment\r\n\n A="quoted" # no comment\nB=x=y\r\nEMPTY=\nPATH\n#C=1`), {
    Z: "before",
    B: "1",
  });
  expect(read).toEqual({ Z: "before", A: '"quoted" # no comment', B: "x=y", EMPTY: "", PATH: process.env.PATH });
});

it("gives way to variables that are given alone", () => {
  expect(environmentInput({ env: { A: "alone" }, envFile: { A: "file", B: "file" } })).toEqual({
    env: { A: "alone", B: "file" },
  });
  expect(environmentInput({ envFile: { B: "file" } })).toEqual({ env: { B: "file" } });
  expect(environmentInput({})).toEqual({});
});

it.each([
  ["A=1\nexport TOKEN=hunter2", "Line 2 is neither NAME=VALUE nor a NAME"],
  ["=hunter2", "Line 1 is neither"],
  ["\nNO_SUCH_VARIABLE_HERE", "Line 2: There is no variable NO_SUCH_VARIABLE_HERE here"],
  [Buffer.from("TOKEN=hunter2\xff", "latin1"), "It is not UTF-8"],
])("names the line that it can't read, and shows nothing of it: %j", (content, message) => {
  expect(() => environmentFile(file(content))).toThrow(
    expect.objectContaining({ message: expect.stringContaining(message) }),
  );
  expect(() => environmentFile(file(content))).not.toThrow("hunter2");
});

it("says why a file can't be read", () => {
  expect(() => environmentFile(join(dir, "nothing"))).toThrow(/can't be read: ENOENT/);
});
