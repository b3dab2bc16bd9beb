import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** Hashes names and contents of everything below a directory that goes into a build: tests and their data don't. */
export async function hashSources(dirs: readonly string[], seed: string): Promise<string> {
  const hash = createHash("sha256").update(seed);
  for (const dir of dirs) {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile() && isSource(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
    for (const file of files) {
      const content = await readFile(file);
      hash.update(`\0${relative(dir, file)}\0${content.length}\0`).update(content);
    }
  }
  return hash.digest("hex");
}

function isSource(name: string): boolean {
  return (/\.(go|s)$/.test(name) && !name.endsWith("_test.go")) || name === "go.mod" || name === "go.sum";
}
