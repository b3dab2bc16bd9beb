import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { makeGuestPackage, npmPack } from "../release/guest/build.ts";
import { readInputs } from "../release/guest/inputs.ts";

const exec = promisify(execFile);
const checkout = join(import.meta.dirname, "../..");

/** Packs `boxrun` and its guest of this checkout into `dir`. */
export async function packAll(dir: string, log: (line: string) => void): Promise<readonly string[]> {
  await mkdir(dir, { recursive: true });
  const guest = await makeGuestPackage({ inputs: await readInputs(), out: dir, scratch: join(dir, "scratch"), log });
  // Its prepack bundles it.
  const { stdout } = await exec("npm", ["pack", join(checkout, "packages/cli"), "--pack-destination", dir, "--silent"]);
  return [guest, join(dir, stdout.trim().split("\n").at(-1) ?? "")];
}

/** The same packages with another version in all places where it stands: what an upgrade finds. */
export async function withVersion(
  tarballs: readonly string[],
  version: string,
  dir: string,
): Promise<readonly string[]> {
  const packed: string[] = [];
  await mkdir(dir, { recursive: true });
  for (const tarball of tarballs) {
    const unpacked = join(dir, "unpacked");
    await mkdir(unpacked);
    await exec("tar", ["-xzf", tarball, "-C", unpacked]);
    const root = join(unpacked, "package");
    const { version: before } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    const code = (await readdir(join(root, "dist")).catch(() => [])).filter((name) => name.endsWith(".js"));
    for (const file of ["package.json", ...code.map((name) => join("dist", name))]) {
      const text = await readFile(join(root, file), "utf8");
      await writeFile(join(root, file), text.replaceAll(`"${before}"`, `"${version}"`));
    }
    packed.push(join(dir, await npmPack(root, dir)));
    await rm(unpacked, { recursive: true });
  }
  return packed;
}
