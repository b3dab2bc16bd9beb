import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const page = readFileSync(join(root, "docs/security.md"), "utf8");

/** Rows of `| promise | shown by |`: `name of a test` (package/test/file), and files alone. */
const shownBy = page
  .split("\n")
  .filter((line) => /^\| .* \| .* \|$/.test(line) && /test/i.test(line))
  .map((line) => line.split(" | ").at(-1)?.replace(/ \|$/, "") ?? "")
  .filter((cell) => cell !== "shown by");

const suites = [
  ...globSync("packages/engine-testkit/src/conformance/*.ts", { cwd: root }),
  ...globSync("packages/engine-qemu/host-helper/*_test.go", { cwd: root }),
]
  .map((file) => readFileSync(join(root, file), "utf8"))
  .join("\n");

describe("what docs/security.md says that shows a promise", () => {
  it("is there at all", () => {
    expect(shownBy.length).toBeGreaterThan(25);
  });

  it.each(shownBy)("%s", (cell) => {
    const files = [...cell.matchAll(/[\w-]+\/test\/[\w./-]+\.ts/g)].map(([file]) => join(root, "packages", file));
    for (const file of files) expect(existsSync(file), file).toBe(true);
    const text = `${suites}\n${files.map((file) => readFileSync(file, "utf8")).join("\n")}`;
    for (const [, name = ""] of cell.matchAll(/`([^`]+)`/g)) {
      // A test within a described subject is named `subject: test`, and … stands for what differs or is long.
      for (const piece of name.split(/…|: /)) expect(text).toContain(piece.trim());
    }
  });
});
