import { blockBytes, type EntryType, xattrPrefix } from "./tar-header.ts";
import { type Extent, encodeSparseMap } from "./tar-sparse.ts";
import type { Metadata } from "./tree.ts";

export interface OutputEntry {
  /** Byte string, relative, without a trailing slash. */
  readonly path: string;
  readonly type: EntryType;
  readonly metadata: Metadata;
  /** Bytes that a file has when it is unpacked. */
  readonly size?: number;
  /** Of a sparse file: the stretches of it that are sent. */
  readonly extents?: readonly Extent[] | undefined;
  readonly linkName?: string;
  readonly devMajor?: number;
  readonly devMinor?: number;
}

const typeFlags: Record<EntryType, string> = {
  file: "0",
  link: "1",
  symlink: "2",
  char: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/**
 * The name spaces that squashfs can store; others (ACLs above all) can't come along. What an overlayfs has left of itself in a layer would mean
 * something to that of the box.
 */
const storableXattr = /^(user|trusted(?!\.overlay\.)|security)\.[^=\0]+$/;

/** Largest values of the octal header fields; what is larger goes into a PAX record. */
const maxId = 0o7777777;
const maxSize = 0o77777777777;

/** An entry's header, with a PAX header before it if the plain one can't say it all. The content, padded, is the caller's to send. */
export function encodeEntry(entry: OutputEntry): Buffer {
  const { metadata, linkName = "" } = entry;
  const map = entry.extents === undefined ? Buffer.alloc(0) : encodeSparseMap(entry.extents, blockBytes);
  const size = map.length + sentBytes(entry);
  const records: string[] = [];
  const add = (key: string, value: string) => records.push(paxRecord(key, value));
  if (entry.path.length > 100) add("path", entry.path);
  if (linkName.length > 100) add("linkpath", linkName);
  if (size > maxSize) add("size", String(size));
  if (entry.extents !== undefined) {
    add("GNU.sparse.major", "1");
    add("GNU.sparse.minor", "0");
    add("GNU.sparse.name", entry.path);
    add("GNU.sparse.realsize", String(entry.size ?? 0));
  }
  if (metadata.uid > maxId) add("uid", String(metadata.uid));
  if (metadata.gid > maxId) add("gid", String(metadata.gid));
  if (entry.type !== "link") {
    for (const [key, value] of [...metadata.xattrs].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (storableXattr.test(key)) add(xattrPrefix + key, value);
    }
  }
  const header = encodeHeader(entry, typeFlags[entry.type], size);
  if (records.length === 0) return header;
  const pax = Buffer.from(records.join(""), "latin1");
  const paxEntry: OutputEntry = { path: "pax", type: "file", metadata: { ...metadata, uid: 0, gid: 0, mode: 0o644 } };
  return Buffer.concat([encodeHeader(paxEntry, "x", pax.length), pax, padding(pax.length), header, map]);
}

/** Bytes of content that follow an entry's header. */
export function sentBytes({ size = 0, extents }: Pick<OutputEntry, "size" | "extents">): number {
  return extents === undefined ? size : extents.reduce((sum, { length }) => sum + length, 0);
}

/** Zeros that fill up the last block of `bytes` bytes of content. */
export function padding(bytes: number): Buffer {
  return Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes);
}

/** The two blocks of zeros that end an archive. */
export const endOfArchive = Buffer.alloc(2 * blockBytes);

function encodeHeader(entry: OutputEntry, typeFlag: string, size: number): Buffer {
  const { path, metadata, linkName = "", devMajor = 0, devMinor = 0 } = entry;
  const block = Buffer.alloc(blockBytes);
  block.write(path.slice(0, 100), 0, "latin1");
  octal(block, 100, 8, metadata.mode);
  octal(block, 108, 8, Math.min(metadata.uid, maxId));
  octal(block, 116, 8, Math.min(metadata.gid, maxId));
  octal(block, 124, 12, Math.min(size, maxSize));
  octal(block, 136, 12, metadata.mtime);
  block.write(typeFlag, 156, "latin1");
  block.write(linkName.slice(0, 100), 157, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  octal(block, 329, 8, devMajor);
  octal(block, 337, 8, devMinor);
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

function octal(block: Buffer, start: number, length: number, value: number): void {
  block.write(value.toString(8).padStart(length - 1, "0"), start, length - 1, "latin1");
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}
