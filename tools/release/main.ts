/**
 * `npm run release -- [OUTDIR] [--twice]`: makes every artefact of this version in the new directory OUTDIR (default: release/): npm packages, the archive with its
 * install script, the Debian package, the Python SDK, the documentation's site, bill of materials, notes with the commits, sums. `--twice` makes all of it
 * again and compares.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { commandLine } from "../../packages/host/src/command-line.ts";
import { run } from "../../packages/host/src/run.ts";
import { pythonEnvironment } from "../../test/e2e/support/python.ts";
import { makeArchive, makeDeb, packTar } from "./bundle.ts";
import { commitsOf } from "./commits.ts";
import { makeGuestPackage, npmPack } from "./guest/build.ts";
import { type Inputs, readInputs } from "./guest/inputs.ts";
import { notesOf } from "./notes.ts";
import { billOfMaterials } from "./sbom.ts";

const checkout = join(import.meta.dirname, "../..");
const log = (line: string) => console.log(`release: ${line}`);

const { values, positionals, refuse } = commandLine(import.meta.url, {
  operands: ["[OUTDIR]"],
  options: { twice: { type: "boolean", default: false } },
});
const out = resolve(positionals[0] ?? "release");
// One of before would be in the sums.
if (existsSync(out)) refuse(`OUTDIR is a new directory, and ${out} is there`);
const scratch = await mkdtemp(join(tmpdir(), "boxrun-release-"));
try {
  await mkdir(out);
  await makeAll(out, join(scratch, "first"));
  if (values.twice) {
    await mkdir(join(scratch, "again"));
    await makeAll(join(scratch, "again"), join(scratch, "second"));
    const [sums, again] = await Promise.all(
      [out, join(scratch, "again")].map((dir) => readFile(join(dir, "SHA256SUMS"), "utf8")),
    );
    if (sums !== again) throw new Error(`two releases differ:\n${sums}\n${again}`);
    log("made twice, the same bytes");
  }
  log(`done: ${out}\n${await readFile(join(out, "SHA256SUMS"), "utf8")}`);
} finally {
  await rm(scratch, { recursive: true, force: true });
}

async function makeAll(dir: string, work: string): Promise<void> {
  await mkdir(work);
  const version = JSON.parse(await readFile(join(checkout, "package.json"), "utf8")).version;
  const inputs = await readInputs();
  const guest = await makeGuestPackage({ inputs, out: dir, scratch: join(work, "guest"), log });
  log("bundling boxrun");
  execFileSync(process.execPath, [join(checkout, "packages/cli/bundle.mjs")], { stdio: "inherit" });
  const boxrun = join(dir, await npmPack(join(checkout, "packages/cli"), dir));
  log("TypeScript SDK");
  execFileSync(process.execPath, [join(checkout, "packages/sdk/build.mjs")], { stdio: "inherit" });
  await npmPack(join(checkout, "packages/sdk/dist"), dir);
  const packed = { version, boxrun, guest };
  log("archive and Debian package");
  await makeArchive(packed, dir, work);
  await makeDeb(packed, dir, work);
  await copyFile(join(checkout, "tools/release/install.sh"), join(dir, "install.sh"));
  log("Python SDK");
  await makePython(dir);
  log("documentation's site");
  await makeDocs(version, dir, work);
  const changelog = await readFile(join(checkout, "CHANGELOG.md"), "utf8");
  await writeFile(join(dir, "CHANGELOG.md"), notesOf(changelog, version, await commitsOf(version)));
  await writeFile(join(dir, "sbom.json"), `${JSON.stringify(await sbom(version, inputs), null, 2)}\n`);
  await writeFile(join(dir, "SHA256SUMS"), await sums(dir));
}

async function makePython(dir: string): Promise<void> {
  const bin = await pythonEnvironment("release", ["build==1.3.0"]);
  await run(join(bin, "python"), ["-m", "build", "--outdir", dir, join(checkout, "python")], {
    operation: "build the Python SDK",
    env: { SOURCE_DATE_EPOCH: "1704067200" },
  });
  for (const name of await readdir(dir)) if (name === ".gitignore") await rm(join(dir, name));
}

async function makeDocs(version: string, dir: string, work: string): Promise<void> {
  const name = `boxrun-docs-${version}`;
  const site = join(work, name);
  await run(join(checkout, "node_modules/.bin/vitepress"), ["build", "docs", "--outDir", site], {
    operation: "build the documentation's site",
    cwd: checkout,
  });
  await packTar(site, join(dir, `${name}.tar.gz`));
}

async function sbom(version: string, inputs: Inputs): Promise<object> {
  const packages = JSON.parse(await readFile(join(checkout, "packages/cli/dist/packages.json"), "utf8"));
  return billOfMaterials({ version, packages, inputs, node: process.version });
}

async function sums(dir: string): Promise<string> {
  const names = (await readdir(dir)).filter((name) => name !== "SHA256SUMS").sort();
  const lines = names.map(async (name) => {
    const sum = createHash("sha256")
      .update(await readFile(join(dir, name)))
      .digest("hex");
    return `${sum}  ${name}\n`;
  });
  return (await Promise.all(lines)).join("");
}
