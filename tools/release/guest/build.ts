import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildGuest } from "../../../packages/engine-qemu/src/guest-build/build.ts";
import { run } from "../../../packages/host/src/run.ts";
import { buildBaseImage } from "../../../packages/images/src/base/build.ts";
import { fetchPinned, goVersion, type Inputs, type Pin, pinsOf } from "./inputs.ts";

const checkout = join(import.meta.dirname, "../../..");
const template = join(checkout, "packages/guest-linux-x64");
const operation = "build the guest package";

/** What the packages' own texts refer to, as Debian has them. */
const commonLicences = [
  ["The GNU General Public License, version 2", "GPL-2"],
  ["The GNU General Public License, version 3", "GPL-3"],
  ["The GNU Lesser General Public License, version 2.1", "LGPL-2.1"],
  ["The GNU Free Documentation License, version 1.3", "GFDL-1.3"],
  ["The Mozilla Public License, version 2.0", "MPL-2.0"],
] as const;

/** What of the cache directory the package has. Of each there is one version, and `current.json` names it. */
const parts = ["agent", "guest", "images"] as const;

/**
 * Fills the directory `target`, which it makes, with what `npm pack` makes `@boxrun/guest-linux-x64` of: the same bytes from the same inputs.
 * `scratch` is empty, and the caller's to remove.
 */
async function buildGuestPackage(options: {
  readonly inputs: Inputs;
  readonly target: string;
  readonly scratch: string;
  readonly log: (line: string) => void;
}): Promise<void> {
  const { inputs, target, scratch, log } = options;
  const go = await goVersion();
  if (go !== inputs.go) {
    throw new Error(`${operation}: Go is ${go}, and tools/release/guest/inputs.json wants ${inputs.go}`);
  }
  const cacheDir = join(scratch, "cache");
  const debs = join(scratch, "debs");
  await mkdir(debs, { recursive: true });
  // All in one place: no two of them have the same file.
  const unpacked = join(scratch, "unpacked");
  const kernelDeb = await fetchPinned(inputs.kernel, debs);
  for (const pin of pinsOf(inputs)) {
    const deb = pin === inputs.kernel ? kernelDeb : await fetchPinned(pin, debs);
    await run("dpkg-deb", ["-x", deb, unpacked], { operation });
  }

  await buildGuest({ cacheDir, kernelDeb, log });
  const from = {
    busyboxFile: [join(unpacked, "usr/bin/busybox"), join(unpacked, "bin/busybox")].find(existsSync) ?? unpacked,
    certificates: await bundle(join(unpacked, "usr/share/ca-certificates/mozilla")),
    packagesDir: unpacked,
  };
  await buildBaseImage({ cacheDir, from, log });

  await mkdir(target);
  for (const part of parts) await cp(join(cacheDir, part), join(target, part), { recursive: true });
  await cp(join(template, "README.md"), join(target, "README.md"));
  const packageJson = JSON.parse(await readFile(join(template, "package.json"), "utf8"));
  // Of the checkout it must not be published: there is nothing in it.
  delete packageJson.private;
  await writeFile(join(target, "package.json"), `${JSON.stringify(packageJson, null, 2)}\n`);
  await writeFile(
    join(target, "LICENSES.txt"),
    await licences([
      ["BoxRun's agent and host helper", join(checkout, "LICENSE")],
      ["Go's run time and library, which are part of both", join((await goRoot()).trim(), "LICENSE")],
      ...pinsOf(inputs).map((pin) => [describe(pin), copyright(unpacked, pin)] as const),
      ...commonLicences.map(([title, name]) => [title, join("/usr/share/common-licenses", name)] as const),
    ]),
  );
  await settleModes(target);
  await writeFile(join(target, "contents.json"), `${JSON.stringify(await contents(target, inputs), null, 2)}\n`);
}

/** As `update-ca-certificates` makes /etc/ssl/certs/ca-certificates.crt of all of them. */
async function bundle(dir: string): Promise<Buffer> {
  const names = (await readdir(dir)).filter((name) => name.endsWith(".crt")).sort();
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(dir, name)))));
}

async function goRoot(): Promise<string> {
  return await run("go", ["env", "GOROOT"], { operation });
}

function describe({ package: name, version, source }: Pin): string {
  return `${name} ${version}, from Debian's source package ${source}`;
}

function copyright(unpacked: string, pin: Pin): string {
  return join(unpacked, "usr/share/doc", pin.package, "copyright");
}

async function licences(texts: readonly (readonly [title: string, file: string])[]): Promise<string> {
  const all = texts.map(async ([title, file]) => `${title}\n\n${(await readFile(file, "utf8")).trim()}\n`);
  return (await Promise.all(all)).join(`\n${"-".repeat(80)}\n\n`);
}

/** An umask of the builder's is not part of the package. */
async function settleModes(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await settleModes(path);
    else await chmod(path, ["boxrun-agent", "boxrun-host"].includes(entry.name) ? 0o755 : 0o644);
  }
  await chmod(dir, 0o755);
}

async function contents(target: string, inputs: Inputs) {
  const entries = await readdir(target, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files = await Promise.all(
    paths.sort().map(async (path) => {
      const content = await readFile(path);
      const sha256 = createHash("sha256").update(content).digest("hex");
      return { path: path.slice(target.length + 1), bytes: content.length, sha256 };
    }),
  );
  return { made_from: inputs, files };
}

/** Packs a package directory as npm does: without times, so that the same content gives the same bytes. Gives the file's name in `out`. */
export async function npmPack(dir: string, out: string): Promise<string> {
  const env = { npm_config_ignore_scripts: "true" };
  const said = await run("npm", ["pack", dir, "--pack-destination", out, "--silent"], {
    operation: `pack ${dir}`,
    env,
  });
  return said.trim().split("\n").at(-1) ?? "";
}

export async function makeGuestPackage(options: {
  readonly inputs: Inputs;
  readonly out: string;
  readonly scratch: string;
  readonly log: (line: string) => void;
}): Promise<string> {
  const { inputs, out, scratch, log } = options;
  const made = join(scratch, "package");
  await mkdir(join(scratch, "work"), { recursive: true });
  await buildGuestPackage({ inputs, target: made, scratch: join(scratch, "work"), log });
  await mkdir(out, { recursive: true });
  const name = await npmPack(made, out);
  await rm(scratch, { recursive: true, force: true });
  return join(out, name);
}
