import { cp, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { requireTool, run } from "@boxrun/host";
import { chooseSource, makeDebianRoot } from "../../../packages/images/src/debian/root.ts";
import { builtOnce } from "./built-once.ts";
import type { BuildOptions } from "./options.ts";

/** The oldest QEMU whose emulated AMD-V was seen to run boxes for as long as one likes: the guests of 7.2 panic after some minutes. */
const oldestMajor = 10;
/** The Debian release to take one from where this host's own is older. */
const release = "trixie";

/** Raise it when what is built changes. */
const builderVersion = 1;

const operation = "get a QEMU for the outer VM";
const libraries = "usr/lib/x86_64-linux-gnu";
const program = "usr/bin/qemu-system-x86_64";
const firmware = ["usr/share/qemu", "usr/share/seabios"];
/** All that is kept of the Debian system it comes from: 116 MB. */
const kept = [libraries, program, ...firmware];

/**
 * The words that a QEMU's command line begins with: this host's own where that is new enough, else one from a newer Debian, which lies in
 * `<cacheDir>/outer-vm/qemu-<key>`, is built once in half a minute, and runs with the libraries of its own release. RUNTIME_ERROR.
 */
export async function outerQemu({ cacheDir, log, signal }: BuildOptions): Promise<readonly string[]> {
  const own = requireTool("qemu-system-x86_64", operation);
  const version = /version (\d+)/.exec(await run(own, ["--version"], { operation, signal }))?.[1];
  if (Number(version) >= oldestMajor) return [own];
  const source = { ...(await chooseSource({}, operation)), suite: release };
  const dir = await builtOnce({
    cacheDir,
    prefix: "qemu-",
    inputs: [builderVersion, release, source.mirror],
    build: async (built, scratch) => {
      log(`this host's QEMU ${version} emulates virtualisation with mistakes; debootstrap: Debian ${release}'s`);
      const root = join(scratch, "root");
      await makeDebianRoot(root, { source, packages: ["qemu-system-x86"], operation, log: () => undefined, signal });
      for (const path of kept) {
        await mkdir(join(built, dirname(path)), { recursive: true });
        await cp(join(root, path), join(built, path), { recursive: true, verbatimSymlinks: true });
      }
    },
  });
  const lib = join(dir, libraries);
  return [
    ...["env", `QEMU_MODULE_DIR=${join(lib, "qemu")}`],
    ...[join(lib, "ld-linux-x86-64.so.2"), "--library-path", lib, join(dir, program)],
    ...firmware.flatMap((path) => ["-L", join(dir, path)]),
  ];
}
