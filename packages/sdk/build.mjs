// `node build.mjs`: the package as it is published, in dist/: JavaScript for Node (and Bun and Deno) and for browsers, types that need nothing of the
// workspace, and a package.json of its own. `npm publish ./packages/sdk/dist` is all that is left to do.
import { execFileSync } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");
const source = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));

/** What is installed beside it; the workspace's own packages are bundled. */
const dependencies = Object.fromEntries(
  Object.entries(source.dependencies).filter(([name]) => !name.startsWith("@boxrun/")),
);
const external = [/^node:/, ...Object.keys(dependencies).map((name) => new RegExp(`^${name}(/|$)`))];

async function build(options, output) {
  const bundle = await rolldown({ cwd: here, input: { index: "src/index.ts" }, external, ...options });
  await bundle.write({ dir: dist, format: "esm", ...output });
  await bundle.close();
}

const names = (directory) => ({
  entryFileNames: `${directory}/[name].js`,
  chunkFileNames: `${directory}/[name].js`,
});

rmSync(dist, { recursive: true, force: true });
// What Node 20 and browsers of its time understand.
const transform = { target: "es2022" };
await build({ platform: "node", transform }, names("node"));
await build({ platform: "browser", transform }, names("browser"));

// The types as tsc writes them, this package's and the contract's beside each other, and meeting by their paths.
// By TypeScript 6: of many files at once, 7.0's writes now and then only some.
execFileSync("tsc6", ["-p", join(here, "tsconfig.build.json")], { stdio: "inherit" });
for (const entry of readdirSync(join(dist, "types"), { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const file = join(entry.parentPath, entry.name);
  const contract = (part) => relative(entry.parentPath, join(dist, "types/contract/src", part));
  const text = readFileSync(file, "utf8")
    .replace(/((?:from |import\()"\.[^"]*)\.ts"/g, '$1.js"')
    .replaceAll('"@boxrun/contract/plain"', `"${contract("plain.js")}"`)
    .replaceAll('"@boxrun/contract"', `"${contract("index.js")}"`);
  writeFileSync(file, text);
}

const { name, version, license, description, type } = source;
const types = "./types/sdk/src/index.d.ts";
const published = {
  name,
  version,
  license,
  description,
  type,
  keywords: ["sandbox", "microvm", "agent", "boxrun"],
  engines: { node: ">=20.16" },
  sideEffects: false,
  exports: {
    ".": { types, browser: "./browser/index.js", default: "./node/index.js" },
    "./package.json": "./package.json",
  },
  dependencies,
};
writeFileSync(join(dist, "package.json"), `${JSON.stringify(published, undefined, 2)}\n`);
copyFileSync(join(here, "../../LICENSE"), join(dist, "LICENSE"));
copyFileSync(join(here, "README.md"), join(dist, "README.md"));
