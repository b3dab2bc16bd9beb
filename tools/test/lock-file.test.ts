import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

interface Locked {
  link?: boolean;
  resolved?: string;
  optionalDependencies?: Record<string, string>;
}

const lock: { packages: Record<string, Locked> } = JSON.parse(
  readFileSync(new URL("../../package-lock.json", import.meta.url), "utf8"),
);

/** Where Node looks for a package that the package at `path` asks for: next to it, then further up. */
function isLocked(path: string, name: string): boolean {
  const up = path.lastIndexOf("/node_modules/");
  if (`${path === "" ? "" : `${path}/`}node_modules/${name}` in lock.packages) return true;
  if (path === "") return false;
  return isLocked(up > 0 ? path.slice(0, up) : "", name);
}

describe("package-lock.json", () => {
  it("has every platform's packages, which npm ci asks for even where it leaves them out", () => {
    const missing = Object.entries(lock.packages).flatMap(([path, locked]) =>
      Object.keys(locked.optionalDependencies ?? {}).filter((name) => !isLocked(path, name)),
    );
    expect(missing).toEqual([]);
  });

  it("names no registry: where packages come from is the machine's own setting", () => {
    const resolved = Object.values(lock.packages).flatMap((locked) => (locked.link ? [] : (locked.resolved ?? [])));
    expect(resolved).toEqual([]);
  });
});
