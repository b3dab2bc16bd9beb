import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { BoxRunError } from "@boxrun/contract";
import { requireTool, run } from "@boxrun/host";

/** The kernel modules that the guest needs, by when. What a kernel has built in is left out; dependencies are added. */
export const wantedModules = {
  /** Loaded by the agent before it can talk: the virtio bus and the port to the host. */
  early: ["virtio_mmio", "virtio_console"],
  /** Loaded at set-up, after the VM has its own devices. */
  root: ["virtio_blk", "virtio_balloon", "ext4", "squashfs", "overlay"],
  network: ["virtio_net"],
  /** What is put into a VM that runs comes over PCI. */
  volumes: ["virtio_pci", "virtiofs"],
} as const;

export type ModuleGroup = keyof typeof wantedModules;

export interface KernelModule {
  readonly name: string;
  readonly content: Buffer;
  readonly depends: readonly string[];
}

/** Reads the wanted modules and what they depend on from a kernel package's `lib/modules/RELEASE`, in an order in which they load. */
export async function readModules(
  modulesDir: string,
  wanted: readonly string[],
): Promise<ReadonlyMap<string, KernelModule>> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(join(modulesDir, "kernel"), { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && /\.ko(\.xz|\.zst)?$/.test(entry.name)) {
      files.set(moduleName(entry.name), join(entry.parentPath, entry.name));
    }
  }
  const builtin = new Set(readFileSync(join(modulesDir, "modules.builtin"), "utf8").split("\n").map(moduleName));
  const found = new Map<string, KernelModule>();

  async function add(name: string): Promise<void> {
    if (found.has(name) || builtin.has(name)) return;
    const file = files.get(name);
    if (file === undefined) {
      throw new BoxRunError("RUNTIME_ERROR", `build the guest: the kernel in ${modulesDir} has no module ${name}`);
    }
    const content = await readModule(file);
    const depends = dependencies(content);
    for (const dependency of depends) await add(dependency);
    // After its dependencies: the map's order is an order in which they can be loaded.
    found.set(name, { name, content, depends });
  }

  for (const name of wanted) await add(name);
  return found;
}

/** The wanted modules and their dependencies, in the order in which they load. */
export function loadOrder(wanted: readonly string[], modules: ReadonlyMap<string, KernelModule>): readonly string[] {
  const needed = new Set<string>();
  const need = (name: string): void => {
    const module = modules.get(name);
    if (module === undefined || needed.has(name)) return;
    needed.add(name);
    for (const dependency of module.depends) need(dependency);
  };
  for (const name of wanted) need(name);
  return [...modules.keys()].filter((name) => needed.has(name));
}

/** `kernel/drivers/block/virtio-blk.ko.xz` is the module virtio_blk: file names may have `-` where the kernel says `_`. */
function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.xz|\.zst)?$/, "")
    .replaceAll("-", "_");
}

async function readModule(path: string): Promise<Buffer> {
  const content = readFileSync(path);
  if (path.endsWith(".zst")) return zstdDecompressSync(content);
  if (!path.endsWith(".xz")) return content;
  await run(requireTool("xz", "unpack a kernel module"), ["--decompress", "--keep", "--force", path], {
    operation: "unpack a kernel module",
  });
  return readFileSync(path.replace(/\.xz$/, ""));
}

/** The ELF section .modinfo holds NUL-terminated `key=value` strings; there is one `depends=`. */
function dependencies(module: Buffer): readonly string[] {
  const key = Buffer.from("\0depends=");
  const start = module.indexOf(key);
  if (start < 0) return [];
  const value = module.subarray(start + key.length, module.indexOf(0, start + key.length)).toString("latin1");
  return value
    .split(",")
    .filter((name) => name !== "")
    .map(moduleName);
}
