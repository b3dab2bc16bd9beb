import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { BoxRunError } from "@boxrun/contract";

/** The host programs that the engine runs, where they may be besides PATH, and the Debian package that has them. */
const tools = {
  "qemu-system-x86_64": { package: "qemu-system-x86", extra: [] },
  "mkfs.ext4": { package: "e2fsprogs", extra: ["/usr/sbin", "/sbin"] },
  tune2fs: { package: "e2fsprogs", extra: ["/usr/sbin", "/sbin"] },
  passt: { package: "passt", extra: [] },
  sqfstar: { package: "squashfs-tools", extra: [] },
  bwrap: { package: "bubblewrap", extra: [] },
  virtiofsd: {
    package: "virtiofsd (Debian 13) or qemu-system-common (Debian 12)",
    extra: ["/usr/libexec", "/usr/lib/qemu"],
  },
  go: { package: "golang-go", extra: ["/usr/local/go/bin"] },
  "apt-get": { package: "apt", extra: [] },
  "apt-cache": { package: "apt", extra: [] },
  "dpkg-deb": { package: "dpkg", extra: [] },
  xz: { package: "xz-utils", extra: [] },
  zstd: { package: "zstd", extra: [] },
} as const;

export type ToolName = keyof typeof tools;

/** The program's absolute path; `undefined` if this host doesn't have it. */
export function locateTool(name: ToolName): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...tools[name].extra];
  for (const folder of folders) {
    if (folder === "") continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined;
}

/** The program's absolute path. RUNTIME_ERROR with the Debian package to install if it is missing. */
export function requireTool(name: ToolName, operation: string): string {
  const path = locateTool(name);
  if (path !== undefined) return path;
  throw new BoxRunError(
    "RUNTIME_ERROR",
    `${operation}: the program ${name} is not on PATH; install the Debian package ${tools[name].package}`,
  );
}
