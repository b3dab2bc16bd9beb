import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, posix } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import { run } from "@boxrun/host";
import type { RootEntry } from "./rootfs.ts";

/** What people type first and busybox does not have, as far as it stays below 10 MB with the libraries that it needs. */
const programs = ["bash", "jq", "make"] as const;

/** Debian's packages of them: the programs, the libraries that they load, and what their line editing looks up. */
export const basePackages = [
  ...programs,
  "libc6",
  "libjq1",
  "libonig5",
  "libtinfo6",
  "libc-bin",
  "ncurses-base",
] as const;

/** Where Debian's loader looks by itself. */
const libraryDir = "lib/x86_64-linux-gnu";
const loader = "ld-linux-x86-64.so.2";

/** Parts of libc that programs built before glibc 2.34 still name, for those that somebody copies into a box. */
const oldLibraries = ["libdl.so.2", "libpthread.so.0", "librt.so.1"];

/** The one locale: without it bash takes each byte of a letter beyond ASCII for a letter. */
const localeDir = "lib/locale/C.utf8";

/** Debian 12 has them in the first, 13 in another. */
const terminfoDirs = ["lib/terminfo", "share/terminfo"];

const operation = "build the base image";

/**
 * The programs, with their libraries, the locale and the descriptions of terminals, out of the directory `root`, into which `basePackages` are
 * unpacked. Parents first. RUNTIME_ERROR where something is missing there.
 */
export async function readPrograms(root: string): Promise<readonly RootEntry[]> {
  const files = new Map<string, { readonly from: string; readonly mode: number }>();
  const add = (path: string, from: string, mode = 0o644) => files.set(posix.join("usr", path), { from, mode });
  const loaderFile = inUsr(root, `${libraryDir}/${loader}`);
  add(`lib64/${loader}`, loaderFile, 0o755);
  for (const name of programs) {
    const program = inUsr(root, `bin/${name}`);
    add(`bin/${name}`, program, 0o755);
    for (const [library, from] of await librariesOf(program, root, loaderFile)) add(`${libraryDir}/${library}`, from);
  }
  for (const name of oldLibraries) add(`${libraryDir}/${name}`, inUsr(root, `${libraryDir}/${name}`));
  await addBelow(inUsr(root, localeDir), localeDir, add);
  for (const dir of terminfoDirs) {
    const found = findInUsr(root, dir);
    if (found !== undefined) await addBelow(found, "share/terminfo", add);
  }
  const paths = [...files.keys()].sort();
  const directories = [...new Set(paths.flatMap(parentsOf))].sort();
  const entries = paths.map(async (path): Promise<RootEntry> => {
    const { from, mode } = files.get(path) ?? { from: "", mode: 0 };
    return { type: "file", path, mode, content: await readFile(from) };
  });
  return [
    ...directories.map((path) => ({ type: "directory", path, mode: 0o755 }) as const),
    { type: "symlink", path: "lib64", target: "usr/lib64" },
    ...(await Promise.all(entries)),
  ];
}

/** What the program loads, by the name that it asks for: told by the packages' own loader, which finds all of it in them or the image would not work. */
async function librariesOf(program: string, root: string, loaderFile: string): Promise<Map<string, string>> {
  const directories = [libraryDir, `usr/${libraryDir}`].map((dir) => join(root, dir)).join(":");
  const list = ["--inhibit-cache", "--library-path", directories, "--list", program];
  const libraries = new Map<string, string>();
  for (const line of (await run(loaderFile, list, { operation })).split("\n")) {
    const [, name = "", file = ""] = /^\s*(\S+) => (.+) \(0x[0-9a-f]+\)$/.exec(line) ?? [];
    if (name === "" || basename(name) === loader) continue;
    if (!file.startsWith(`${root}/`)) {
      throw new BoxRunError("RUNTIME_ERROR", `${operation}: ${basename(program)} needs ${name}, which no package has`);
    }
    libraries.set(name, file);
  }
  return libraries;
}

async function addBelow(dir: string, path: string, add: (path: string, from: string) => void): Promise<void> {
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const from = join(entry.parentPath, entry.name);
    if (!entry.isDirectory()) add(posix.join(path, from.slice(dir.length + 1)), from);
  }
}

/** The file of the packages that is `path` in /usr, which Debian 12 has in / in part. */
function inUsr(root: string, path: string): string {
  const file = findInUsr(root, path);
  if (file !== undefined) return file;
  throw new BoxRunError("RUNTIME_ERROR", `${operation}: no package has ${path}`);
}

function findInUsr(root: string, path: string): string | undefined {
  return [join(root, "usr", path), join(root, path)].find(existsSync);
}

function parentsOf(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === "." ? [] : [...parentsOf(parent), parent];
}
