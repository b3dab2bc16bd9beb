import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { z } from "zod";
import { type GuestArch, type UnpackedKernel, unpackKernelDeb, unpackKernelPackage } from "./kernel-package.ts";
import { type KernelModule, loadOrder, type ModuleGroup, readModules, wantedModules } from "./modules.ts";
import { extractVmlinux } from "./vmlinux.ts";

/** Raise it when what is kept of a kernel package changes. */
const kernelCacheVersion = 3;
const versionSuffix = `-v${kernelCacheVersion}`;

const moduleNames = z.array(z.string().regex(/^[a-z0-9_]+$/));
const recordSchema = z.object({
  package: z.string(),
  version: z.string(),
  format: z.enum(["vmlinux", "bzImage"]),
  modules: z.object({ early: moduleNames, root: moduleNames, network: moduleNames, volumes: moduleNames }),
});

export interface GuestKernel {
  /** The directory's name below `<cacheDir>/kernel`. */
  readonly name: string;
  readonly dir: string;
  readonly record: z.infer<typeof recordSchema>;
}

export const kernelFile = "kernel";

export function kernelRoot(cacheDir: string): string {
  return join(cacheDir, "kernel");
}

/** A kernel that was fetched before; `undefined` if it is not there (any more), or not all of it that is needed today. */
export async function cachedKernel(cacheDir: string, name: string): Promise<GuestKernel | undefined> {
  if (!name.endsWith(versionSuffix)) return undefined;
  const dir = join(kernelRoot(cacheDir), name);
  try {
    return { name, dir, record: recordSchema.parse(JSON.parse(await readFile(join(dir, "record.json"), "utf8"))) };
  } catch {
    return undefined;
  }
}

interface FetchKernelOptions {
  readonly cacheDir: string;
  readonly arch: GuestArch;
  readonly log: (line: string) => void;
  /** A kernel package that is here already. */
  readonly deb: string | undefined;
}

/** Fetches the newest kernel that apt knows of, unless it is given one; keeps the kernel itself and the modules that a guest needs. */
export async function fetchKernel({ cacheDir, arch, log, deb }: FetchKernelOptions): Promise<GuestKernel> {
  await mkdir(kernelRoot(cacheDir), { recursive: true });
  const scratch = await mkdtemp(join(kernelRoot(cacheDir), ".fetch-"));
  try {
    const unpacked =
      deb === undefined ? await unpackKernelPackage(arch, scratch, log) : await unpackKernelDeb(deb, scratch);
    log("unpacking the kernel and its modules");
    const kept = join(scratch, "kept");
    await keep(unpacked, kept);
    const name = `${unpacked.package}_${unpacked.version.replaceAll(":", "3a")}${versionSuffix}`;
    const target = join(kernelRoot(cacheDir), name);
    if (!existsSync(join(target, "record.json"))) {
      await rm(target, { recursive: true, force: true });
      await rename(kept, target);
    }
    const kernel = await cachedKernel(cacheDir, name);
    if (kernel === undefined)
      throw new BoxRunError("RUNTIME_ERROR", `fetch the guest kernel: ${target} is damaged; remove it`);
    return kernel;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function keep(unpacked: UnpackedKernel, kept: string): Promise<void> {
  const bzImage = await readFile(unpacked.bzImage);
  const vmlinux = extractVmlinux(bzImage);
  const modules = await readModules(unpacked.modulesDir, Object.values(wantedModules).flat());
  const order = (group: ModuleGroup) => [...loadOrder(wantedModules[group], modules)];
  await mkdir(join(kept, "modules"), { recursive: true });
  await writeFile(join(kept, kernelFile), vmlinux ?? bzImage);
  for (const module of modules.values()) await writeFile(modulePath(kept, module.name), module.content);
  const record: z.infer<typeof recordSchema> = {
    package: unpacked.package,
    version: unpacked.version,
    format: vmlinux === undefined ? "bzImage" : "vmlinux",
    modules: { early: order("early"), root: order("root"), network: order("network"), volumes: order("volumes") },
  };
  await writeFile(join(kept, "record.json"), JSON.stringify(record, null, 2));
}

export function modulePath(kernelDir: string, name: string): string {
  return join(kernelDir, "modules", `${name}.ko`);
}

/** Every module of the kernel's record once. */
export function keptModules(kernel: GuestKernel): readonly KernelModule["name"][] {
  return [...new Set(Object.keys(wantedModules).flatMap((group) => modulesOf(kernel, group)))];
}

function modulesOf(kernel: GuestKernel, group: string): readonly string[] {
  const { early, root, network, volumes } = kernel.record.modules;
  return { early, root, network, volumes }[group] ?? [];
}
