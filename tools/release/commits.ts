import { join } from "node:path";
import { run } from "../../packages/host/src/run.ts";

const checkout = join(import.meta.dirname, "../..");

/** The first lines of the commits since the version before `version` was set, newest first; of all where there was none before. */
export async function commitsOf(version: string, dir = checkout): Promise<readonly string[]> {
  const git = (...args: readonly string[]) => run("git", ["-C", dir, ...args], { operation: "list the commits" });
  const changes = lines(await git("log", "--format=%H", '-G^  "version": ', "--", "package.json"));
  const versions = await Promise.all(
    changes.map(async (commit) => /^ {2}"version": "([^"]+)"/m.exec(await git("show", `${commit}:package.json`))?.[1]),
  );
  const before = changes.find((_, index) => versions[index] !== version);
  const range = before === undefined ? "HEAD" : `${before}..HEAD`;
  return lines(await git("log", "--no-merges", "--format=%h %s", "--abbrev=10", range));
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
