import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { downloadPackages, requireTool, run } from "@boxrun/host";

/** Debian's kernel for virtual machines: PVH entry, ext4 built in, virtio as modules. It depends on the current concrete one. */
const kernelMetaPackage = { amd64: "linux-image-cloud-amd64" } as const;
export type GuestArch = keyof typeof kernelMetaPackage;

/** A kernel package's files, unpacked. Paths are absolute. */
export interface UnpackedKernel {
  /** The concrete package, `linux-image-6.1.0-56-cloud-amd64`, and its version. */
  readonly package: string;
  readonly version: string;
  readonly bzImage: string;
  /** `lib/modules/RELEASE` */
  readonly modulesDir: string;
}

/** Fetches the newest kernel that apt knows of and unpacks it in `scratch`, an empty directory of the caller's. */
export async function unpackKernelPackage(
  arch: GuestArch,
  scratch: string,
  log: (line: string) => void,
): Promise<UnpackedKernel> {
  const concrete = await resolvePackage(kernelMetaPackage[arch]);
  log(`fetching the kernel package ${concrete}`);
  await downloadPackages([concrete], scratch, `${operation}: if apt does not find it, run \`apt-get update\``);
  const deb = (await readdir(scratch)).find((name) => name.endsWith(".deb"));
  if (deb === undefined) {
    throw new BoxRunError("RUNTIME_ERROR", `${operation}: apt-get downloaded nothing for ${concrete}`);
  }
  return await unpackKernelDeb(join(scratch, deb), scratch);
}

/** Unpacks a kernel package, which is called as apt calls what it downloads: `NAME_VERSION_ARCH.deb`. */
export async function unpackKernelDeb(deb: string, scratch: string): Promise<UnpackedKernel> {
  const [concrete = "", version = ""] = basename(deb).split("_");
  const unpacked = join(scratch, "unpacked");
  await run(requireTool("dpkg-deb", operation), ["-x", deb, unpacked], { operation });
  const image = (await readdir(join(unpacked, "boot"))).find((name) => name.startsWith("vmlinuz-"));
  // Debian 13 and later: merged /usr.
  const modulesRoot = [join(unpacked, "usr/lib/modules"), join(unpacked, "lib/modules")].find(existsSync);
  const release = modulesRoot === undefined ? undefined : (await readdir(modulesRoot))[0];
  if (image === undefined || modulesRoot === undefined || release === undefined) {
    throw new BoxRunError("RUNTIME_ERROR", `${operation}: ${concrete} holds no kernel with modules`);
  }
  return {
    package: concrete,
    version: decodeURIComponent(version),
    bzImage: join(unpacked, "boot", image),
    modulesDir: join(modulesRoot, release),
  };
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
