/**
 * `npm run release:version -- VERSION` (0.5.0, say): the version stands in the checkout's own package.json, and this writes it wherever else one has to stand. A test fails
 * where they differ.
 */
import { execFileSync } from "node:child_process";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandLine } from "../../packages/host/src/command-line.ts";

const checkout = join(import.meta.dirname, "../..");

/** Where a version stands, and as what: the first group of the expression. */
interface VersionPlace {
  readonly file: string;
  readonly pattern: RegExp;
}

/** All of them; the first is what the others follow. */
export function versionPlaces(): readonly VersionPlace[] {
  const workspaces = globSync(["packages/*/package.json", "bench/package.json", "test/*/package.json"], {
    cwd: checkout,
  });
  return [
    ...["package.json", ...workspaces.sort()].map((file) => ({ file, pattern: /^ {2}"version": "([^"]+)"/m })),
    { file: "packages/cli/package.json", pattern: /"@boxrun\/guest-linux-x64": "([^"]+)"/ },
    { file: "python/pyproject.toml", pattern: /^version = "([^"]+)"/m },
    { file: "packages/contract/openapi.json", pattern: /^ {4}"version": "([^"]+)"/m },
  ];
}

/** `undefined` if none stands there. */
export function versionAt({ file, pattern }: VersionPlace): string | undefined {
  return pattern.exec(readFileSync(join(checkout, file), "utf8"))?.[1];
}

function setVersion(version: string): void {
  for (const { file, pattern } of versionPlaces()) {
    const path = join(checkout, file);
    const text = readFileSync(path, "utf8");
    writeFileSync(
      path,
      text.replace(pattern, (line, before: string) => line.replace(before, version)),
    );
  }
  execFileSync("npm", ["install", "--package-lock-only", "--no-audit", "--no-fund"], {
    cwd: checkout,
    stdio: "inherit",
  });
  // The contract's digest changes with it.
  execFileSync(process.execPath, [join(checkout, "tools/openapi.ts")], { stdio: "inherit" });
}

if (import.meta.main) {
  const { positionals, refuse } = commandLine(import.meta.url, { operands: ["VERSION"] });
  const [version = ""] = positionals;
  if (!/^\d+\.\d+\.\d+(-[0-9a-z.]+)?$/.test(version)) refuse(`${JSON.stringify(version)} is no version`);
  setVersion(version);
}
