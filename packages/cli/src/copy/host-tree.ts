import { isUtf8 } from "node:buffer";
import type { Stats } from "node:fs";
import { lstat, opendir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { CliError } from "../failure.ts";
import { hostFailure } from "./host-file.ts";

export interface HostEntry {
  readonly path: string;
  /** Relative to the tree's root, with slashes. */
  readonly name: string;
  readonly stat: Stats;
}

/** All below a directory, sorted, a directory before what it holds. What vanishes meanwhile is left out. */
export async function* walkHostTree(root: string, below = ""): AsyncGenerator<HostEntry> {
  const folder = join(root, below);
  const names = await readdir(folder, { encoding: "buffer" }).catch((error: unknown) => {
    throw hostFailure(error);
  });
  for (const bytes of names.sort(Buffer.compare)) {
    if (!isUtf8(bytes)) throw notUtf8(folder, bytes);
    const name = below === "" ? bytes.toString() : `${below}/${bytes.toString()}`;
    const path = join(root, name);
    const stat = await lstat(path).catch(() => undefined);
    if (stat === undefined) continue;
    yield { path, name, stat };
    if (stat.isDirectory()) yield* walkHostTree(root, name);
  }
}

/** Bytes of the files below a directory, each file once, however many names it has. */
export async function hostTreeBytes(root: string): Promise<number> {
  const seen = new Set<number>();
  let bytes = 0;
  const add = async (folder: string): Promise<void> => {
    for await (const entry of await opendir(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await add(path);
      if (!entry.isFile()) continue;
      const { ino, nlink, size } = await lstat(path);
      if (nlink > 1 && seen.has(ino)) continue;
      if (nlink > 1) seen.add(ino);
      bytes += size;
    }
  };
  await add(root);
  return bytes;
}

function notUtf8(folder: string, name: Buffer): CliError {
  return new CliError(
    "HOST_FILE",
    `The name ${JSON.stringify(name.toString("latin1"))} in ${folder} is not UTF-8`,
    `A tar takes any name: tar c -C ${folder} . | boxrun cp - BOX:PATH`,
  );
}
