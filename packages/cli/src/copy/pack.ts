import { readlink, stat } from "node:fs/promises";
import { CliError } from "../failure.ts";
import { hostFailure, readFileBytes } from "./host-file.ts";
import { type HostEntry, walkHostTree } from "./host-tree.ts";
import { type Add, headerMode, packTar } from "./tar.ts";

export interface PackedFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Permission bits. */
  readonly mode: number;
  readonly mtime: Date;
  /** root where not given. */
  readonly uid?: number;
  readonly gid?: number;
  /** Exactly `sizeBytes` bytes. */
  readonly content: AsyncIterable<Uint8Array>;
}

export async function openHostFile(path: string, name: string): Promise<PackedFile> {
  const { size, mode, mtime } = await stat(path).catch((error: unknown) => {
    throw hostFailure(error);
  });
  return { name, sizeBytes: size, mode, mtime, content: readFileBytes(path, size) };
}

/** Passes on what goes through, and counts it. */
export type Count = (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** One file as a tar stream: what carries its mode and its time into a box. */
export function packFile({
  name,
  sizeBytes,
  mode,
  mtime,
  uid = 0,
  gid = 0,
  content,
}: PackedFile): AsyncIterable<Uint8Array> {
  return packTar((add) =>
    add(
      { name, type: "file", size: sizeBytes, mode: headerMode(mode), mtime, uid, gid },
      exactly(content, sizeBytes, name),
    ),
  );
}

/** One directory without what it holds: its mode and its time. */
export function packDirectory(attributes: Omit<PackedFile, "content" | "sizeBytes">): AsyncIterable<Uint8Array> {
  const { name, mode, mtime, uid = 0, gid = 0 } = attributes;
  return packTar((add) => add({ name: `${name}/`, type: "directory", mode: headerMode(mode), mtime, uid, gid }));
}

export interface TreeOptions {
  /** The name that the directory itself has in the archive; `undefined` for its content only. */
  readonly rootName: string | undefined;
  readonly count: Count;
  /** Is told of what no box can have of this host: devices, sockets and pipes. */
  readonly onLeftOut: (name: string) => void;
}

/** A directory of this host as a tar stream, all of it root's. Symlinks stay symlinks; files with several names stay one file. */
export function packTree(directory: string, options: TreeOptions): AsyncIterable<Uint8Array> {
  const { rootName } = options;
  const prefix = rootName === undefined ? "" : `${rootName}/`;
  return packTar(async (add) => {
    const firstNames = new Map<string, string>();
    if (rootName !== undefined) {
      const { mode, mtime } = await stat(directory);
      await add({ name: prefix, type: "directory", mode: headerMode(mode), mtime });
    }
    for await (const entry of walkHostTree(directory)) await addHostEntry(add, prefix, entry, firstNames, options);
  });
}

async function addHostEntry(
  add: Add,
  prefix: string,
  { path, name, stat }: HostEntry,
  firstNames: Map<string, string>,
  { count, onLeftOut }: TreeOptions,
): Promise<void> {
  const header = { name: prefix + name, mode: headerMode(stat.mode), mtime: stat.mtime };
  if (stat.isDirectory()) return add({ ...header, name: `${header.name}/`, type: "directory" });
  if (stat.isSymbolicLink()) return add({ ...header, type: "symlink", linkname: await readlink(path) });
  if (!stat.isFile()) return onLeftOut(name);
  const inode = `${stat.dev}:${stat.ino}`;
  const first = stat.nlink > 1 ? firstNames.get(inode) : undefined;
  if (first !== undefined) return add({ ...header, type: "link", linkname: first });
  const { size } = stat;
  await add({ ...header, type: "file", size }, exactly(count(readFileBytes(path, size)), size, path));
  if (stat.nlink > 1) firstNames.set(inode, header.name);
}

async function* exactly(chunks: AsyncIterable<Uint8Array>, size: number, name: string): AsyncGenerator<Uint8Array> {
  let sent = 0;
  for await (const chunk of chunks) {
    sent += chunk.length;
    if (sent > size) break;
    yield chunk;
  }
  if (sent !== size) throw new CliError("HOST_FILE", `${name} changed while it was copied`);
}

/** What is in a directory, without an entry for itself: what OCI tools take for a layout. */
export function packEntries(directory: string): AsyncIterable<Uint8Array> {
  return packTree(directory, { rootName: undefined, count: (content) => content, onLeftOut: () => undefined });
}
