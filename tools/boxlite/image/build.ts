import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackKernelPackage } from "../../../packages/engine-qemu/src/guest-build/kernel-package.ts";
import { readModules } from "../../../packages/engine-qemu/src/guest-build/modules.ts";
import { extractVmlinux } from "../../../packages/engine-qemu/src/guest-build/vmlinux.ts";
import { chooseSource, makeDebianRoot } from "../../../packages/images/src/debian/root.ts";
import { runTool } from "../../../packages/images/src/debian/run-tool.ts";
import { builtOnce } from "./built-once.ts";
import type { BuildOptions } from "./options.ts";
import { outerQemu } from "./qemu.ts";

/** Raise it when what is built from the same lists changes. */
const builderVersion = 1;

/** What BoxLite, our server, its boxes on QEMU and the tests need inside. netavark is what skopeo's package asks for and debootstrap does not find. */
const packages = [
  "bubblewrap",
  "busybox-static",
  "ca-certificates",
  "docker-registry",
  "dropbear-bin",
  "e2fsprogs",
  "iproute2",
  "netavark",
  "passt",
  "procps",
  "qemu-system-x86",
  "qemu-utils",
  "skopeo",
  "squashfs-tools",
];

/** Loaded at boot, with what they depend on. What a kernel has built in is left out. */
const modules = [
  ...["virtio_pci", "virtio_blk", "virtio_net", "virtio_rng"],
  ...["squashfs", "overlay", "ext4", "fuse", "tun", "veth", "loop"],
  "kvm_amd",
];

/** What an outer VM is booted from, in the cache. Paths are absolute. */
export interface OuterImage {
  /** The words that QEMU's command line begins with. */
  readonly qemu: readonly string[];
  readonly kernel: string;
  /** Paths of kernel modules, in the order in which they load. */
  readonly modules: readonly string[];
  readonly busybox: string;
  /** Debian's root file system, squashfs. */
  readonly root: string;
}

const operation = "build the outer VM";

/**
 * Kernel, modules and root file system of the outer VM, in `<cacheDir>/outer-vm/<sha256 of what they are made of>`. Built once, in about a
 * minute, with some 90 MB of downloads; then taken from there. Safe to run twice at once. RUNTIME_ERROR without root, debootstrap or apt.
 */
export async function outerImage({ cacheDir, log, signal }: BuildOptions): Promise<OuterImage> {
  const qemu = await outerQemu({ cacheDir, log, signal });
  const source = await chooseSource({}, operation);
  const inputs = [builderVersion, source.suite, source.mirror, packages, modules];
  const dir = await builtOnce({
    cacheDir,
    prefix: "",
    inputs,
    build: async (built, scratch) => {
      await mkdir(join(built, "modules"), { recursive: true });
      const packageDir = join(scratch, "kernel");
      await mkdir(packageDir);
      const kernel = await unpackKernelPackage("amd64", packageDir, log);
      const bzImage = await readFile(kernel.bzImage);
      await writeFile(join(built, "kernel"), extractVmlinux(bzImage) ?? bzImage);
      const found = await readModules(kernel.modulesDir, modules);
      for (const { name, content } of found.values()) await writeFile(join(built, "modules", `${name}.ko`), content);
      await writeFile(join(built, "modules", "order"), [...found.keys()].map((name) => `${name}\n`).join(""));

      const root = join(scratch, "root");
      log(`debootstrap: Debian ${source.suite} with ${packages.join(", ")}`);
      await makeDebianRoot(root, { source, packages, operation, log: () => undefined, signal });
      await copyFile(join(root, "bin/busybox"), join(built, "busybox"));
      await copyFile(join(import.meta.dirname, "../inside/inittab"), join(root, "etc/inittab"));
      log("packing its root file system");
      await squash(root, join(built, "root.squashfs"), signal);
    },
  });
  return { qemu, ...(await locate(dir)) };
}

/** LZ4: an emulated CPU unpacks it. */
export async function squash(directory: string, file: string, signal: AbortSignal): Promise<void> {
  const options = ["-noappend", "-comp", "lz4", "-no-progress", "-quiet", "-no-xattrs"];
  await runTool("mksquashfs", [directory, file, ...options], { operation, signal });
}

async function locate(dir: string): Promise<Omit<OuterImage, "qemu">> {
  const order = await readFile(join(dir, "modules", "order"), "utf8");
  const names = order.split("\n").filter((name) => name !== "");
  return {
    kernel: join(dir, "kernel"),
    modules: names.map((name) => join(dir, "modules", `${name}.ko`)),
    busybox: join(dir, "busybox"),
    root: join(dir, "root.squashfs"),
  };
}
