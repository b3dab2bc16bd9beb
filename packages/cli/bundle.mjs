// `npm pack` runs this (prepack): BoxRun and all that it needs as JavaScript in dist/, so that the installed package depends on nothing.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");

rmSync(dist, { recursive: true, force: true });
const bundle = await rolldown({
  cwd: here,
  platform: "node",
  // Native, and optional: it is installed beside us, or not.
  external: ["@boxlite-ai/boxlite"],
  input: {
    main: "src/main.ts",
    // A process of its own, which the engine finds beside itself.
    "merge-process": "../engine-qemu/src/flatten/merge-process.ts",
  },
});
// Flat, because files are looked for relative to their module's URL.
const { output } = await bundle.write({
  dir: dist,
  format: "esm",
  entryFileNames: "[name].js",
  chunkFileNames: "[name]-[hash].js",
});
await bundle.close();

// The server looks for it beside itself.
execFileSync(process.execPath, [join(here, "../../tools/dashboard.ts")], { stdio: "inherit" });
const dashboard = join(here, "../dashboard/dist");
if (existsSync(dashboard)) cpSync(dashboard, join(dist, "ui"), { recursive: true });

/** The directory of the npm package that a module is from; undefined for our own. */
function packageOf(moduleId) {
  const match = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(moduleId);
  return match?.[1];
}

const packages = new Set(output.flatMap((chunk) => ("moduleIds" in chunk ? chunk.moduleIds : [])).map(packageOf));
const components = [];
const notices = [...packages]
  .filter((dir) => dir !== undefined && existsSync(join(dir, "package.json")))
  .map((dir) => {
    const { name, version, license } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
    const file = readdirSync(dir).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? "" : `\n\n${readFileSync(join(dir, file), "utf8").trim()}`;
    components.push({ name, version, license });
    return `${name} ${version} (${license})${text}`;
  });
components.sort((a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1));
// For the release's bill of materials.
writeFileSync(join(dist, "packages.json"), `${JSON.stringify(components, null, 2)}\n`);
writeFileSync(join(dist, "THIRD_PARTY_LICENSES.txt"), `${notices.sort().join(`\n\n${"-".repeat(80)}\n\n`)}\n`);
process.stdout.write(`dist: ${output.length} files, ${notices.length} packages in them\n`);
