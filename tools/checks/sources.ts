import { globSync } from "node:fs";
import { join } from "node:path";

/** Folders that hold the project's TypeScript. Every check must have seen each of their files, or it fails. */
export const sourceFolders = ["packages", "test", "bench", "tools", "examples"];

const notSources = new Set(["node_modules", "dist", "coverage"]);

/** Paths of all TypeScript sources, relative to `root`, sorted. */
function sourceFiles(root: string): string[] {
  return sourceFolders
    .flatMap((folder) =>
      globSync("**/*.{ts,tsx}", { cwd: join(root, folder), exclude: (name) => notSources.has(name) }).map(
        (file) => `${folder}/${file}`,
      ),
    )
    .sort();
}

/** Says which sources a check has not looked at: a check that sees nothing would pass for ever. */
export function unseenSources(root: string, seen: Iterable<string>): string | undefined {
  const seenFiles = new Set(seen);
  const unseen = sourceFiles(root).filter((file) => !seenFiles.has(file));
  if (seenFiles.size === 0) return "the check saw no file at all";
  if (unseen.length === 0) return undefined;
  return `the check did not see ${unseen.length} of the sources:\n${unseen.map((file) => `  ${file}`).join("\n")}`;
}
