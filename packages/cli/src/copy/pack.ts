import { constants } from "node:fs";
import { type ByteString, shown } from "./bytes.ts";
import { hostContent } from "./host-content.ts";
import { HostDirectory } from "./host-directory.ts";
import type { FileFields } from "./host-file.ts";
import type { HostFile } from "./host-source.ts";
import { type HostEntry, type OnUnreadable, walkHostTree } from "./host-tree.ts";
import type { EntryType, TarHeader } from "./tar/header.ts";
import type { TarEntry } from "./tar/read.ts";
import { gathered, tarEnd, tarEntry } from "./tar/write.ts";

export interface PackedFile extends FileFields {
  readonly name: ByteString;
  /** root where not given. */
  readonly uid?: number;
  readonly gid?: number;
  /** Exactly `sizeBytes` bytes, or those of `data`. */
  readonly content: AsyncIterable<Uint8Array>;
}

export async function packedHostFile({ handle, stat }: HostFile, path: string, name: ByteString): Promise<PackedFile> {
  const { chunks, ...fields } = await hostContent(handle, stat, path);
  return { name, mode: Number(stat.mode), mtimeNs: stat.mtimeNs, ...fields, content: chunks };
}

/** Passes on what goes through, and counts it. */
export type Count = (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** One file as a tar stream: what carries its mode and its time into a box. */
export function packFile({ content, ...fields }: PackedFile): AsyncIterable<Uint8Array> {
  const pack = async function* () {
    yield* tarEntry({ ...fields, type: "file" }, content);
    yield tarEnd;
  };
  return gathered(pack());
}

export interface TreeOptions {
  /** The name that the directory itself has in the archive; `undefined` for its content only. */
  readonly rootName: ByteString | undefined;
  readonly count: Count;
  /** Is told of what no box can have of this host: devices, sockets and pipes. */
  readonly onLeftOut: (name: string) => void;
  readonly onUnreadable?: OnUnreadable;
}

/** A directory of this host as a tar stream, all of it root's. Symlinks stay symlinks; files with several names stay one file. */
export function packTree(root: HostDirectory, options: TreeOptions): AsyncIterable<Uint8Array> {
  return gathered(treeBytes(root, options));
}

async function* treeBytes(root: HostDirectory, options: TreeOptions): AsyncGenerator<Uint8Array> {
  const { rootName, onUnreadable } = options;
  const prefix = rootName === undefined ? "" : `${rootName}/`;
  const firstNames = new Map<string, ByteString>();
  const stat = await root.lstat(".");
  if (stat !== undefined && rootName !== undefined) {
    yield* tarEntry({ name: prefix, type: "directory", mode: Number(stat.mode), mtimeNs: stat.mtimeNs });
  }
  for await (const entry of walkHostTree(root, onUnreadable)) yield* hostEntry(prefix, entry, firstNames, options);
  yield tarEnd;
}

async function* hostEntry(
  prefix: ByteString,
  { name, directory, last, stat }: HostEntry,
  firstNames: Map<string, ByteString>,
  { count, onLeftOut, onUnreadable }: TreeOptions,
): AsyncGenerator<Uint8Array> {
  const header = { name: prefix + name, mode: Number(stat.mode), mtimeNs: stat.mtimeNs };
  if (stat.isDirectory()) return yield* tarEntry({ ...header, type: "directory" });
  if (stat.isSymbolicLink()) {
    const linkName = await readable(directory, last, onUnreadable, () => directory.readlink(last));
    if (linkName !== undefined) yield* tarEntry({ ...header, type: "symlink", linkName });
    return;
  }
  if (!stat.isFile()) return onLeftOut(shown(name));
  const inode = `${stat.dev}:${stat.ino}`;
  const first = stat.nlink > 1n ? firstNames.get(inode) : undefined;
  if (first !== undefined) return yield* tarEntry({ ...header, type: "link", linkName: first });
  const { O_NOCTTY, O_NONBLOCK, O_RDONLY } = constants;
  const opened = await readable(directory, last, onUnreadable, () =>
    directory.openFile(last, O_RDONLY | O_NONBLOCK | O_NOCTTY),
  );
  if (opened === undefined) return;
  await using file = opened;
  const content = await readable(directory, last, onUnreadable, async () =>
    hostContent(file, await file.stat({ bigint: true }), directory.below(last)),
  );
  if (content === undefined) return;
  const { chunks, ...fields } = content;
  yield* tarEntry({ ...header, type: "file", ...fields }, count(chunks));
  if (stat.nlink > 1n) firstNames.set(inode, header.name);
}

async function readable<T>(
  directory: HostDirectory,
  last: ByteString,
  onUnreadable: OnUnreadable | undefined,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (onUnreadable === undefined) throw error;
    onUnreadable(directory.below(last), error);
    return undefined;
  }
}

export interface RepackOptions {
  /** What the tree's root is to be called; `undefined`: it is left out. */
  readonly rootName: ByteString | undefined;
  readonly count: Count;
  /** Whether whoever reads it knows files with holes. */
  readonly holes: boolean;
}

/** A box's tree as a tar stream, all of it under another name. */
export function repack(entries: AsyncIterable<TarEntry>, options: RepackOptions): AsyncIterable<Uint8Array> {
  return gathered(repackedBytes(entries, options));
}

async function* repackedBytes(
  entries: AsyncIterable<TarEntry>,
  { rootName, count, holes }: RepackOptions,
): AsyncGenerator<Uint8Array> {
  const prefix = rootName === undefined ? "" : `${rootName}/`;
  for await (const { header, content } of entries) {
    const isRoot = isTreeRoot(header);
    const { type } = header;
    if ((isRoot && rootName === undefined) || !isKnown(type)) continue;
    const name = isRoot ? prefix : prefix + header.name;
    const linkName = type === "link" ? prefix + header.linkName : header.linkName;
    const { data, ...plain } = header;
    const counted = count(content);
    if (type !== "file") yield* tarEntry({ ...plain, type, name, linkName });
    else if (data === undefined || holes) yield* tarEntry({ ...header, type, name }, counted);
    else yield* tarEntry({ ...plain, type, name }, filled(counted, header));
  }
  yield tarEnd;
}

/** The entry for the directory itself that a box's tree begins with. */
export function isTreeRoot({ name, type }: TarHeader): boolean {
  return type === "directory" && /^\.?\/*$/.test(name);
}

function isKnown(type: TarHeader["type"]): type is EntryType {
  return !type.startsWith("entry of type ");
}

/** The whole content of a file with holes. */
async function* filled(
  pieces: AsyncIterable<Uint8Array>,
  { data = [], sizeBytes }: TarHeader,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  let extent = 0;
  let left = 0;
  for await (const piece of pieces) {
    for (let done = 0; done < piece.length; ) {
      const next = data[extent];
      if (left === 0 && next !== undefined) {
        yield* zeros(next.offset - at);
        at = next.offset;
        left = next.length;
        extent += 1;
      }
      const part = piece.subarray(done, done + left);
      yield part;
      at += part.length;
      left -= part.length;
      done += part.length;
    }
  }
  yield* zeros(sizeBytes - at);
}

const zeroChunk = Buffer.alloc(256 * 1024);

async function* zeros(bytes: number): AsyncGenerator<Uint8Array> {
  for (let left = bytes; left > 0; left -= zeroChunk.length) yield zeroChunk.subarray(0, left);
}

/** What is in a directory, without an entry for itself: what OCI tools take for a layout. */
export async function* packEntries(path: string): AsyncGenerator<Uint8Array> {
  await using root = await HostDirectory.open(path);
  yield* packTree(root, { rootName: undefined, count: (content) => content, onLeftOut: () => undefined });
}
