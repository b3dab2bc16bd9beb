import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Package caches, translations, manuals: what a program in a box does not miss. */
const emptied = [
  "usr/share/info",
  "usr/share/lintian",
  "usr/share/locale",
  "usr/share/man",
  "var/cache/apt",
  "var/cache/debconf",
  "var/cache/ldconfig",
  "var/lib/apt/lists",
  "var/log",
  "tmp",
];

/** What debootstrap copies from the host, which is nobody's business, and leftovers of the package manager. */
const removed = [
  "etc/hostname",
  "etc/resolv.conf",
  "var/lib/dpkg/available-old",
  "var/lib/dpkg/diversions-old",
  "var/lib/dpkg/status-old",
];

/** Makes a fresh Debian root smaller. Copyright files stay, as Debian asks. */
export async function slimRoot(root: string): Promise<void> {
  for (const path of emptied) {
    for (const name of await readdir(join(root, path)).catch(() => [])) {
      await rm(join(root, path, name), { recursive: true, force: true });
    }
  }
  for (const path of removed) await rm(join(root, path), { force: true });
  const doc = join(root, "usr/share/doc");
  for (const entry of await readdir(doc, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (!entry.isDirectory() && entry.name !== "copyright")
      await rm(join(entry.parentPath, entry.name), { force: true });
  }
  // apt complains without it.
  await mkdir(join(root, "var/lib/apt/lists/partial"), { recursive: true });
  await mkdir(join(root, "var/cache/apt/archives/partial"), { recursive: true });
}
