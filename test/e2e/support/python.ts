import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

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
