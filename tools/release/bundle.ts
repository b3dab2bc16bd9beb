import { chmod, copyFile, cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { systemEnvironment, unitText } from "../../packages/cli/src/service/unit.ts";
import { run } from "../../packages/host/src/run.ts";

const operation = "bundle boxrun";

/** What a bundle is made of: the two packed packages. */
export interface Packed {
  readonly version: string;
  readonly boxrun: string;
  readonly guest: string;
}

/** Every file's time, so that the same content gives the same bytes. */
const epoch = "1704067200";

/**
 * Makes in the new directory `root` what runs without npm and without a Node of the host's:
 *
 *     bin/boxrun      what people run
 *     lib/node        Node
 *     lib/boxrun      the npm package, its guest's below it in node_modules
 */
async function fill(root: string, { boxrun, guest }: Packed, installedBy: "archive" | "deb"): Promise<void> {
  const lib = join(root, "lib");
  await mkdir(join(root, "bin"), { recursive: true });
  await mkdir(lib);
  await unpack(boxrun, join(lib, "boxrun"));
  await unpack(guest, join(lib, "boxrun/node_modules/@boxrun/guest-linux-x64"));
  await writeFile(join(lib, "boxrun/installed-by"), `${installedBy}\n`);
  const nodePackage = dirname(createRequire(import.meta.url).resolve("node/package.json"));
  await copyFile(join(nodePackage, "bin/node"), join(lib, "node"));
  await chmod(join(lib, "node"), 0o755);
  await copyFile(join(import.meta.dirname, "launcher.sh"), join(root, "bin/boxrun"));
  await chmod(join(root, "bin/boxrun"), 0o755);
}

/** An npm package's files, which lie in `package/` of its archive. */
async function unpack(tarball: string, target: string): Promise<void> {
  const scratch = `${target}.unpacking`;
  await mkdir(scratch, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", scratch, "--no-same-owner"], { operation });
  await rename(join(scratch, "package"), target);
  await rm(scratch, { recursive: true });
}

/** `boxrun-VERSION-linux-x64.tar.gz` in `out`; its name. */
export async function makeArchive(packed: Packed, out: string, scratch: string): Promise<string> {
  const name = `boxrun-${packed.version}-linux-x64`;
  await mkdir(scratch, { recursive: true });
  await fill(join(scratch, name), packed, "archive");
  await packTar(join(scratch, name), join(out, `${name}.tar.gz`));
  return `${name}.tar.gz`;
}

/** The directory as a `.tar.gz`, its last name in front of every path: the same content gives the same bytes. */
export async function packTar(directory: string, file: string): Promise<void> {
  const tar = `${directory}.tar`;
  const settled = ["--sort=name", `--mtime=@${epoch}`, "--owner=0", "--group=0", "--numeric-owner", "--mode=go-w"];
  await run("tar", ["-C", dirname(directory), ...settled, "-cf", tar, basename(directory)], { operation });
  await run("gzip", ["-n", "-6", tar], { operation });
  // Not by its name: the other one may be another file system.
  await copyFile(`${tar}.gz`, file);
  await rm(`${tar}.gz`);
}

/** `boxrun_VERSION_amd64.deb` in `out`; its name. */
export async function makeDeb(packed: Packed, out: string, scratch: string): Promise<string> {
  const root = join(scratch, "deb");
  const home = join(root, "usr/lib/boxrun");
  await mkdir(dirname(home), { recursive: true });
  await fill(home, packed, "deb");
  await mkdir(join(root, "usr/bin"), { recursive: true });
  await run("ln", ["-s", "../lib/boxrun/bin/boxrun", join(root, "usr/bin/boxrun")], { operation });

  const units = join(root, "usr/lib/systemd/system");
  await mkdir(units, { recursive: true });
  const command = ["/usr/lib/boxrun/lib/node", "/usr/lib/boxrun/lib/boxrun/bin/boxrun.js", "serve"];
  // Every Debian has the group kvm once there is QEMU.
  await writeFile(
    join(units, "boxrun.service"),
    unitText({ scope: "system", command, environment: systemEnvironment, hasKvmGroup: true }),
  );

  const doc = join(root, "usr/share/doc/boxrun");
  await mkdir(doc, { recursive: true });
  const guestDir = join(home, "lib/boxrun/node_modules/@boxrun/guest-linux-x64");
  const licences = [join(guestDir, "LICENSES.txt"), join(home, "lib/boxrun/dist/THIRD_PARTY_LICENSES.txt")];
  const own = await readFile(join(import.meta.dirname, "../../LICENSE"), "utf8");
  const others = await Promise.all(licences.map((file) => readFile(file, "utf8")));
  await writeFile(join(doc, "copyright"), [own, ...others].join(`\n${"-".repeat(80)}\n\n`));

  await cp(join(import.meta.dirname, "debian"), join(root, "DEBIAN"), { recursive: true });
  const control = await readFile(join(root, "DEBIAN/control"), "utf8");
  await writeFile(join(root, "DEBIAN/control"), control.replace("@VERSION@", packed.version.replace("-", "~")));
  for (const name of ["postinst", "prerm", "postrm"]) await chmod(join(root, "DEBIAN", name), 0o755);
  await run("chmod", ["-R", "u+rwX,go+rX,go-w", root], { operation });
  const file = `boxrun_${packed.version}_amd64.deb`;
  await run("dpkg-deb", ["--root-owner-group", "-Zzstd", "-z6", "--threads-max=1", "--build", root, join(out, file)], {
    operation,
    env: { SOURCE_DATE_EPOCH: epoch },
  });
  return file;
}
