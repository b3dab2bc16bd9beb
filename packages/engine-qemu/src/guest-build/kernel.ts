import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { requireTool, run } from "@boxrun/host";
import { z } from "zod";
import { type KernelModule, loadOrder, type ModuleGroup, readModules, wantedModules } from "./modules.ts";
import { extractVmlinux } from "./vmlinux.ts";

/** Debian's kernel for virtual machines: PVH entry, ext4 built in, virtio as modules. It depends on the current concrete one. */
const kernelMetaPackage = { amd64: "linux-image-cloud-amd64" } as const;
export type GuestArch = keyof typeof kernelMetaPackage;

/** Raise it when what is kept of a kernel package changes. */
const kernelCacheVersion = 1;

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

/** A kernel that was fetched before; `undefined` if it is not there (any more). */
export async function cachedKernel(cacheDir: string, name: string): Promise<GuestKernel | undefined> {
  const dir = join(kernelRoot(cacheDir), name);
  try {
    return { name, dir, record: recordSchema.parse(JSON.parse(await readFile(join(dir, "record.json"), "utf8"))) };
  } catch {
    return undefined;
  }
}

/** Fetches the newest kernel that apt knows of, keeps the kernel itself and the modules that a guest needs. */
export async function fetchKernel(
  cacheDir: string,
  arch: GuestArch,
  log: (line: string) => void,
): Promise<GuestKernel> {
  await mkdir(kernelRoot(cacheDir), { recursive: true });
  const scratch = await mkdtemp(join(kernelRoot(cacheDir), ".fetch-"));
  try {
    const concrete = await resolvePackage(kernelMetaPackage[arch]);
    log(`fetching the kernel package ${concrete}`);
    await run(requireTool("apt-get", operation), ["-o", "APT::Sandbox::User=root", "download", concrete], {
      operation: `${operation}: if apt does not find it, run \`apt-get update\``,
      cwd: scratch,
    });
    const deb = (await readdir(scratch)).find((name) => name.endsWith(".deb"));
    const version = deb?.split("_")[1];
    if (deb === undefined || version === undefined) {
      throw new BoxRunError("RUNTIME_ERROR", `${operation}: apt-get downloaded nothing for ${concrete}`);
    }
    const unpacked = join(scratch, "unpacked");
    await run(requireTool("dpkg-deb", operation), ["-x", join(scratch, deb), unpacked], { operation });
    log("unpacking the kernel and its modules");
    const kept = join(scratch, "kept");
    await keep(unpacked, kept, { package: concrete, version: decodeURIComponent(version) });
    const name = `${concrete}_${version.replaceAll("%", "")}-v${kernelCacheVersion}`;
    const target = join(kernelRoot(cacheDir), name);
    if (!existsSync(join(target, "record.json"))) {
      await rm(target, { recursive: true, force: true });
      await rename(kept, target);
    }
    const kernel = await cachedKernel(cacheDir, name);
    if (kernel === undefined) throw new BoxRunError("RUNTIME_ERROR", `${operation}: ${target} is damaged; remove it`);
    return kernel;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const operation = "fetch the guest kernel";

async function resolvePackage(meta: string): Promise<string> {
  const text = await run(requireTool("apt-cache", operation), ["depends", "--important", meta], { operation }).catch(
    (error: unknown) => {
      throw new BoxRunError(
        "RUNTIME_ERROR",
        `${operation}: apt knows no package ${meta}; run \`apt-get update\` (on a Debian host) and try again`,
        { cause: error },
      );
    },
  );
  const concrete = /Depends: (linux-image-[A-Za-z0-9.+~-]+)/.exec(text)?.[1];
  if (concrete !== undefined) return concrete;
  throw new BoxRunError(
    "RUNTIME_ERROR",
    `${operation}: the package ${meta} depends on no kernel; run \`apt-get update\``,
  );
}

async function keep(unpacked: string, kept: string, source: { package: string; version: string }): Promise<void> {
  const boot = await readdir(join(unpacked, "boot"));
  const image = boot.find((name) => name.startsWith("vmlinuz-"));
  // Debian 13 and later: merged /usr.
  const modulesRoot = [join(unpacked, "usr/lib/modules"), join(unpacked, "lib/modules")].find(existsSync);
  const release = modulesRoot === undefined ? undefined : (await readdir(modulesRoot))[0];
  if (image === undefined || modulesRoot === undefined || release === undefined) {
    throw new BoxRunError("RUNTIME_ERROR", `${operation}: ${source.package} holds no kernel with modules`);
  }
  const bzImage = await readFile(join(unpacked, "boot", image));
  const vmlinux = extractVmlinux(bzImage);
  const modules = await readModules(join(modulesRoot, release));
  const order = (group: ModuleGroup) => [...loadOrder(group, modules)];
  await mkdir(join(kept, "modules"), { recursive: true });
  await writeFile(join(kept, kernelFile), vmlinux ?? bzImage);
  for (const module of modules.values()) await writeFile(modulePath(kept, module.name), module.content);
  const record: z.infer<typeof recordSchema> = {
    ...source,
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
