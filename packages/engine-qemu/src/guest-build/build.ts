import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { buildAgent, goBuild, hashSources } from "@boxrun/guest-agent";
import { isErrno } from "@boxrun/host";
import { buildInitramfs, guestModulePath } from "./initramfs.ts";
import { cachedKernel, fetchKernel, type GuestKernel, kernelFile, kernelRoot } from "./kernel.ts";
import type { GuestArch } from "./kernel-package.ts";
import { type Guest, guestRoot, readGuest, readPointer } from "./locate.ts";
import { type GuestManifest, type GuestPointer, guestFiles } from "./manifest.ts";

/** Raise it when the way of building changes. */
const builderVersion = 4;

export interface BuildGuestOptions {
  readonly cacheDir: string;
  /** The Go module of the agent. Default: `guest/` of this checkout. */
  readonly guestSourceDir?: string;
  /** Fetch the newest kernel, even if one is cached. */
  readonly refreshKernel?: boolean;
  /** The kernel package to take where none is cached, a file. Default: the newest that apt knows of. */
  readonly kernelDeb?: string;
  readonly log?: (line: string) => void;
}

const checkout = join(import.meta.dirname, "../../../..");
const hostHelperSourceDir = join(import.meta.dirname, "../../host-helper");

/**
 * Builds what boxes boot: kernel, initramfs with the agent, and the host helper, in `<cacheDir>/guest/<sha256 of all inputs>`,
 * and points `<cacheDir>/guest/current.json` at it. With unchanged sources it does nothing and needs no network; a changed
 * source is built with the kernel that is cached. Safe to run twice at once.
 */
export async function buildGuest(options: BuildGuestOptions): Promise<Guest> {
  const log = options.log ?? (() => undefined);
  const guestSourceDir = options.guestSourceDir ?? join(checkout, "guest");
  const arch = hostArch();
  const sourcesKey = await hashSources([guestSourceDir, hostHelperSourceDir], `builder ${builderVersion} ${arch}`);
  const before = currentGuest(options.cacheDir);
  if (before?.pointer.sourcesKey === sourcesKey && options.refreshKernel !== true) {
    await buildAgent({ cacheDir: options.cacheDir, sourceDir: guestSourceDir, log });
    log(`the guest is up to date: ${before.guest.dir}`);
    return before.guest;
  }
  const pinned = before === undefined || options.refreshKernel === true ? undefined : before.pointer.kernelDir;
  const cached = pinned === undefined ? undefined : await cachedKernel(options.cacheDir, pinned);
  const kernel = cached ?? (await fetchKernel({ cacheDir: options.cacheDir, arch, log, deb: options.kernelDeb }));
  const key = createHash("sha256").update(`${sourcesKey}\0${kernel.name}`).digest("hex");

  await mkdir(guestRoot(options.cacheDir), { recursive: true });
  const scratch = await mkdtemp(join(guestRoot(options.cacheDir), ".build-"));
  try {
    const agentFile = await buildAgent({ cacheDir: options.cacheDir, sourceDir: guestSourceDir, log });
    log("building the host helper");
    await goBuild({ module: hostHelperSourceDir, package: ".", outFile: join(scratch, guestFiles.hostHelper), arch });
    log("packing the initramfs");
    await writeFile(join(scratch, guestFiles.initramfs), await buildInitramfs(agentFile, kernel));
    await copyFile(join(kernel.dir, kernelFile), join(scratch, guestFiles.kernel));
    await writeFile(join(scratch, guestFiles.manifest), JSON.stringify(manifest(key, arch, kernel), null, 2));
    await install(scratch, join(guestRoot(options.cacheDir), key));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  await writePointer(options.cacheDir, { version: 1, key, sourcesKey, kernelDir: kernel.name });
  await removeOld(options.cacheDir, [key, before?.pointer.key ?? ""], [kernel.name, before?.pointer.kernelDir ?? ""]);
  const guest = readGuest(guestRoot(options.cacheDir), key);
  log(`built the guest: ${guest.dir}`);
  return guest;
}

function hostArch(): GuestArch {
  if (process.arch === "x64") return "amd64";
  throw new BoxRunError(
    "NOT_SUPPORTED",
    `build the guest: no kernel is known for ${process.arch} hosts; x64 is supported`,
  );
}

function currentGuest(cacheDir: string): { guest: Guest; pointer: GuestPointer } | undefined {
  try {
    const root = guestRoot(cacheDir);
    const pointer = readPointer(root);
    return { pointer, guest: readGuest(root, pointer.key) };
  } catch {
    return undefined;
  }
}

function manifest(key: string, arch: string, kernel: GuestKernel): GuestManifest {
  const { record } = kernel;
  const paths = (names: readonly string[]) => names.map(guestModulePath);
  return {
    version: 1,
    key,
    arch,
    kernel: { package: record.package, version: record.version, format: record.format },
    modules: {
      root: paths(record.modules.root),
      network: paths(record.modules.network),
      volumes: paths(record.modules.volumes),
    },
  };
}

/** Another build of the same inputs may have been faster: its directory holds the same. */
async function install(scratch: string, target: string): Promise<void> {
  try {
    await rename(scratch, target);
  } catch (error) {
    if (!isErrno(error, "ENOTEMPTY") && !isErrno(error, "EEXIST")) throw error;
  }
}

async function writePointer(cacheDir: string, pointer: GuestPointer): Promise<void> {
  const file = join(guestRoot(cacheDir), "current.json");
  const scratch = `${file}.${process.pid}`;
  await writeFile(scratch, JSON.stringify(pointer, null, 2));
  await rename(scratch, file);
}

/**
 * Removes the guests and kernels that nothing points at any more, but for those of the last build, which a server may be booting from.
 * A running VM needs none of them.
 */
async function removeOld(cacheDir: string, guests: readonly string[], kernels: readonly string[]): Promise<void> {
  for (const [dir, keep] of [
    [guestRoot(cacheDir), guests],
    [kernelRoot(cacheDir), kernels],
  ] as const) {
    for (const entry of await readdir(dir, { withFileTypes: true })) {
      // Hidden ones are builds under way.
      if (!entry.isDirectory() || entry.name.startsWith(".") || keep.includes(entry.name)) continue;
      await rm(join(dir, entry.name), { recursive: true, force: true });
    }
  }
}
