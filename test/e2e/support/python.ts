import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

const sdk = fileURLToPath(new URL("../../../python", import.meta.url));

/** With what the SDK, its terminal and its development need; its `bin`. */
export async function pythonSdkEnvironment(): Promise<string> {
  return pythonEnvironment("python-sdk", await listed(["dependencies", "terminal", "dev", "requires"]));
}

/** What programs on the SDK need, in pip's words. */
export function pythonSdkPackages(): Promise<readonly string[]> {
  return listed(["dependencies", "terminal"]);
}

async function listed(names: readonly string[]): Promise<readonly string[]> {
  const project = await readFile(join(sdk, "pyproject.toml"), "utf8");
  const lists = project.matchAll(new RegExp(`^(?:${names.join("|")}) = \\[(.*?)\\]$`, "gms"));
  return [...lists]
    .flatMap(([, list = ""]) => [...list.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => name))
    .filter((name) => !name.startsWith("boxrun-sdk"));
}

/** A Python environment with these packages in it (pip's words), made once for all checkouts; its `bin`. */
export async function pythonEnvironment(name: string, packages: readonly string[]): Promise<string> {
  const digest = createHash("sha256").update(JSON.stringify(packages)).digest("hex").slice(0, 16);
  const cache = process.env.BOXRUN_CACHE_DIR ?? join(homedir(), ".cache/boxrun");
  const directory = join(cache, "test", `${name}-${digest}`);
  const bin = join(directory, "bin");
  const ready = await access(join(bin, "ready")).then(
    () => true,
    () => false,
  );
  if (!ready) {
    await run("python3", ["-m", "venv", "--clear", directory]);
    await run(join(bin, "pip"), ["install", "--quiet", "--disable-pip-version-check", ...packages]);
    await writeFile(join(bin, "ready"), "");
  }
  return bin;
}
