import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../packages/host/src/run.ts";
import { chooseSource, makeDebianRoot } from "../../packages/images/src/debian/root.ts";

/** Raise it when what is made of a suite changes. */
const builderVersion = 1;

const operation = "make a clean machine";

/** A Debian as debootstrap makes it, in the cache: made once, and only copied from. */
export async function pristineRoot(options: {
  readonly cacheDir: string;
  readonly suite: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}): Promise<string> {
  const { cacheDir, suite, log, signal } = options;
  const { mirror } = await chooseSource({}, operation);
  const home = join(cacheDir, "test", "install");
  const dir = join(home, `${suite}-v${builderVersion}`);
  if (existsSync(dir)) return dir;
  await mkdir(home, { recursive: true });
  const scratch = await mkdtemp(join(home, ".build-"));
  try {
    log(`debootstrap ${suite}`);
    const source = { suite, mirror, keyring: "/usr/share/keyrings/debian-archive-keyring.gpg" };
    await makeDebianRoot(join(scratch, "root"), { source, packages: [], operation, log: () => undefined, signal });
    await rename(join(scratch, "root"), dir).catch((error: unknown) => {
      // Another run may have been faster.
      if (!existsSync(dir)) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return dir;
}

/** A copy that can be spoilt. */
export async function copyRoot(pristine: string, target: string): Promise<void> {
  // With owners and devices, which Node's own cp can't copy.
  await run("cp", ["--archive", "--", pristine, target], { operation });
}
