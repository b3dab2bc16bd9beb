import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { commitsOf } from "../release/commits.ts";
import { notesOf } from "../release/notes.ts";

const dir = mkdtempSync(join(tmpdir(), "br-notes-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function commit(subject: string, version: string): void {
  writeFileSync(join(dir, "package.json"), `{\n  "name": "x",\n  "version": "${version}"\n}\n`);
  writeFileSync(join(dir, "note"), subject);
  execFileSync("git", ["-C", dir, "add", "."]);
  const who = ["-c", "user.name=Nobody", "-c", "user.email=nobody@localhost"];
  execFileSync("git", ["-C", dir, ...who, "commit", "--quiet", "--no-verify", "-m", subject]);
}

test("the notes of a version have its section of the changelog, and the commits since the version before was set", async () => {
  execFileSync("git", ["init", "--quiet", dir]);
  commit("the first", "0.1.0");
  commit("is 0.2.0", "0.2.0");
  commit("a feature", "0.2.0");
  commit("is 0.3.0", "0.3.0");
  const subjects = async (version: string) =>
    (await commitsOf(version, dir)).map((line) => line.replace(/^[0-9a-f]{10} /, ""));
  expect(await subjects("0.3.0")).toEqual(["is 0.3.0", "a feature"]);
  // Not set yet.
  expect(await subjects("0.4.0")).toEqual([]);

  const changelog = "# Changelog\n\n## 0.3.0\n\n- New.\n\n## 0.2.0\n\n- Old.\n";
  const notes = notesOf(changelog, "0.3.0", ["0123456789 a feature"]);
  expect(notes).toBe("# BoxRun 0.3.0\n\n- New.\n\n## Commits\n\n- 0123456789 a feature\n");
  expect(() => notesOf(changelog, "0.4.0", [])).toThrow('no section "## 0.4.0"');
});
