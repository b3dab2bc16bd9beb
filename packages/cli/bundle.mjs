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
    // A process and a thread of their own, which who starts them finds beside itself.
    "merge-process": "../engine-qemu/src/flatten/merge-process.ts",
    "checkpoint-worker": "../store/src/checkpoint-worker.ts",
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
if (existsSync(dashboard)) {
  const isServed = (path) => !path.includes("/.vite/license.json");
  cpSync(dashboard, join(dist, "ui"), { recursive: true, filter: isServed });
}

/** The directory of the npm package that a module is from; undefined for our own. */
function packageOf(moduleId) {
  const match = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(moduleId);
  return match?.[1];
}

const packages = new Set(output.flatMap((chunk) => ("moduleIds" in chunk ? chunk.moduleIds : [])).map(packageOf));
const ofTheCommand = [...packages]
  .filter((dir) => dir !== undefined && existsSync(join(dir, "package.json")))
  .map((dir) => {
    const { name, version, license } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
    const file = readdirSync(dir).find((entry) => /^licen[cs]e/i.test(entry));
    return { name, version, license, text: file === undefined ? "" : readFileSync(join(dir, file), "utf8").trim() };
  });
// Vite writes down what is in its page.
const licensesOfDashboard = join(dashboard, ".vite/license.json");
const ofTheDashboard = existsSync(licensesOfDashboard)
  ? JSON.parse(readFileSync(licensesOfDashboard, "utf8")).map(({ name, version, identifier, text }) => {
      return { name, version, license: identifier, text: (text ?? "").trim() };
    })
  : [];
const isOwn = ({ name }) => name.startsWith("@boxrun/") || name === "boxrun-sdk";
const byName = new Map(
  [...ofTheCommand, ...ofTheDashboard].filter((one) => !isOwn(one)).map((one) => [`${one.name} ${one.version}`, one]),
);
const all = [...byName.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
// For the release's bill of materials.
const components = all.map(({ name, version, license }) => ({ name, version, license }));
writeFileSync(join(dist, "packages.json"), `${JSON.stringify(components, null, 2)}\n`);
const notices = all.map(
  (one) => `${one.name} ${one.version} (${one.license})${one.text === "" ? "" : `\n\n${one.text}`}`,
);
writeFileSync(join(dist, "THIRD_PARTY_LICENSES.txt"), `${notices.join(`\n\n${"-".repeat(80)}\n\n`)}\n`);
process.stdout.write(`dist: ${output.length} files, ${all.length} packages in them and in the dashboard\n`);
