import type { BigIntStats } from "node:fs";
import type { ByteString } from "./bytes.ts";
import { HostDirectory } from "./host-directory.ts";

export interface HostEntry {
  /** Relative to the tree's root, with slashes. */
  readonly name: ByteString;
  /** The directory that has it, and its name there. */
  readonly directory: HostDirectory;
  readonly last: ByteString;
  readonly stat: BigIntStats;
}

/** Is told of what could not be read; the path is for people. */
export type OnUnreadable = (path: string, error: unknown) => void;

/**
 * All below a directory, sorted, a directory before what it holds; no symlink is followed. What vanishes meanwhile is left out. Without
 * `onUnreadable`, what can't be read ends it.
 */
export async function* walkHostTree(
  root: HostDirectory,
  onUnreadable?: OnUnreadable,
  below: ByteString = "",
): AsyncGenerator<HostEntry> {
  for (const last of await attempt(root, onUnreadable, () => root.names(), [])) {
    const name = below + last;
    const stat = await attempt(root, onUnreadable, () => root.lstat(last), undefined);
    if (stat === undefined) continue;
    yield { name, directory: root, last, stat };
    if (!stat.isDirectory()) continue;
    const directory = await attempt(root, onUnreadable, () => root.enter(last), undefined);
    if (directory === undefined) continue;
    await using open = directory;
    yield* walkHostTree(open, onUnreadable, `${name}/`);
  }
}

async function attempt<T>(
  directory: HostDirectory,
  onUnreadable: OnUnreadable | undefined,
  read: () => Promise<T>,
  otherwise: T,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (onUnreadable === undefined) throw error;
    onUnreadable(directory.shown, error);
    return otherwise;
  }
}

/** Bytes of the files below a directory, each file once, however many names it has. */
export async function hostTreeBytes(path: string): Promise<number> {
  await using root = await HostDirectory.open(path);
  const seen = new Set<bigint>();
  let bytes = 0;
  for await (const { stat } of walkHostTree(root)) {
    if (!stat.isFile() || (stat.nlink > 1n && seen.has(stat.ino))) continue;
    if (stat.nlink > 1n) seen.add(stat.ino);
    bytes += Number(stat.size);
  }
  return bytes;
}
