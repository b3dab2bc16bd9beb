// `node build.mjs`: the package as it is published, in dist/: JavaScript for Node (and Bun and Deno) and for browsers, types that need nothing of the
// workspace, and a package.json of its own. `npm publish ./packages/sdk/dist` is all that is left to do.
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { dts } from "rolldown-plugin-dts";

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
await build(
  {
    platform: "node",
    plugins: [dts({ dtsOnly: true, tsc: { eager: true }, tsconfig: join(here, "tsconfig.build.json") })],
  },
  { entryFileNames: "types/[name].d.ts", chunkFileNames: "types/[name].d.ts" },
);

const { name, version, license, description, type } = source;
const types = "./types/index.d.ts";
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
