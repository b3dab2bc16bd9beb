/**
 * `node tools/dashboard.ts`: builds the dashboard that the server shows at /ui, unless what is built is what the sources say: packages/dashboard/dist, and beside each
 * file that packs well its packed twins, for browsers that take them.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { commandLine } from "../packages/host/src/command-line.ts";

commandLine(import.meta.url);

const root = fileURLToPath(new URL("../", import.meta.url));
const dist = join(root, "packages/dashboard/dist");
/** Written last: where it is, the build is complete. */
const builtFrom = join(dist, ".built-from");

/** What the build reads. Its libraries are as the lock file says. */
const sources = ["packages/dashboard", "packages/sdk", "packages/contract", "tools/dashboard.ts", "package-lock.json"];
const notSources = /(^|\/)(node_modules|dist|test)(\/|$)/;

const packedTypes = new Set([".html", ".js", ".css", ".svg", ".json", ".wasm", ".webmanifest"]);
/** Less is not worth a file. */
const minPackedBytes = 1024;

function digestOfSources(): string {
  const hash = createHash("sha256");
  for (const path of sources.flatMap(filesOf).sort()) {
    const content = readFileSync(join(root, path));
    hash.update(`\0${path}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

/** Below a directory, or the file itself. Relative to the checkout. */
function filesOf(path: string): string[] {
  if (extname(path) !== "") return [path];
  return readdirSync(join(root, path), { withFileTypes: true }).flatMap((entry) => {
    const below = `${path}/${entry.name}`;
    if (notSources.test(below)) return [];
    return entry.isDirectory() ? filesOf(below) : [below];
  });
}

function pack(): void {
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !packedTypes.has(extname(entry.name))) continue;
    const content = readFileSync(path);
    if (content.length < minPackedBytes) continue;
    writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
    const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
    writeFileSync(`${path}.br`, brotliCompressSync(content, { params: quality }));
  }
}

const wanted = existsSync(join(root, "packages/dashboard/package.json")) ? digestOfSources() : undefined;
if (wanted === undefined) {
  console.log("dashboard: this checkout has none");
} else if (existsSync(builtFrom) && readFileSync(builtFrom, "utf8") === wanted) {
  console.log(`dashboard: ${dist} is as the sources say`);
} else {
  execFileSync("npm", ["run", "build", "--workspace", "packages/dashboard"], { cwd: root, stdio: "inherit" });
  pack();
  writeFileSync(builtFrom, wanted);
}
