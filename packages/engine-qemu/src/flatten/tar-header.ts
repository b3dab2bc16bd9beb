/**
 * One tar header, as POSIX ustar, PAX and GNU write it.
 *
 *   offset  0    100   108  116  124   136    148     156   157      257    329       337       345
 *           name mode  uid  gid  size  mtime  chksum  type  linkname magic  devmajor  devminor  prefix
 *
 * Names and extended attributes are bytes, not text: they are kept as latin1 strings, one character a byte. That is also why this
 * is not tar-stream, which decodes PAX records as UTF-8 and so destroys `security.capability` and names in other encodings.
 */

import {
  checkedSparse,
  collectStretch,
  type Extent,
  extentsOfRecords,
  headerExtents,
  paxSparseForm,
  paxSparseName,
  paxSparseSize,
} from "./tar-sparse.ts";

export const blockBytes = 512;

export type EntryType = "file" | "link" | "symlink" | "char" | "block" | "directory" | "fifo";

export interface TarEntry {
  /** Byte string, as written: may begin with `./` or `/`. */
  readonly name: string;
  readonly type: EntryType;
  /** Bytes that a file has when it is unpacked; 0 for everything else. */
  readonly size: number;
  /** Of a sparse file: the stretches that follow, one behind the other. Otherwise all of `size` follows. */
  readonly extents?: readonly Extent[];
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since the epoch, 0 to 2^32 - 1. */
  readonly mtime: number;
  /** Byte string; target of a link or symlink. */
  readonly linkName: string;
  readonly devMajor: number;
  readonly devMinor: number;
  /** Names and values are byte strings. */
  readonly xattrs: ReadonlyMap<string, string>;
}

/** squashfs keeps times as unsigned 32-bit seconds; what lies outside is moved to the nearest end. */
const maxTime = 0xffff_ffff;

/** What a header block says before PAX records and GNU long names are applied. */
export interface RawHeader {
  readonly typeFlag: string;
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly linkName: string;
  readonly devMajor: number;
  readonly devMinor: number;
  /** Of an old GNU sparse file. */
  readonly sparse: RawSparse | undefined;
}

interface RawSparse {
  readonly size: number;
  readonly extents: readonly Extent[];
  /** More of them are in the next block. */
  readonly extended: boolean;
}

export const xattrPrefix = "SCHILY.xattr.";

/** Decodes a header block; `undefined` for the block of zeros that ends an archive. Throws an Error that says what is wrong. */
export function decodeHeader(block: Buffer): RawHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (!checksumMatches(block)) throw new Error("not a tar header (its checksum is wrong)");
  const posix = block.toString("latin1", 257, 263) === "ustar\0";
  // The "star" variant of ustar keeps times behind a shorter prefix.
  const prefixBytes = block.toString("latin1", 508, 512) === "tar\0" ? 131 : 155;
  const prefix = posix ? text(block, 345, prefixBytes) : "";
  const name = text(block, 0, 100);
  const typeFlag = String.fromCharCode(block[156] ?? 0);
  // Headers from before ustar may have anything where those have a device's number.
  const isDevice = typeFlag === "3" || typeFlag === "4";
  return {
    typeFlag,
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: size(number(block, 124, 12)),
    mtime: number(block, 136, 12),
    linkName: text(block, 157, 100),
    devMajor: isDevice ? number(block, 329, 8) : 0,
    devMinor: isDevice ? number(block, 337, 8) : 0,
    sparse: typeFlag === "S" ? rawSparse(block) : undefined,
  };
}

function rawSparse(block: Buffer): RawSparse {
  return {
    size: size(number(block, 483, 12)),
    extents: headerExtents(block, 386, 4, number),
    extended: block[482] !== 0,
  };
}

/** Decodes the content of a PAX header: records of `LENGTH KEY=VALUE\n`, where the length counts itself. */
export function decodePax(content: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  let at = 0;
  while (at < content.length) {
    const space = content.indexOf(0x20, at);
    const digits = space === -1 ? "" : content.toString("latin1", at, space);
    const length = /^[1-9]\d{0,8}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = content.indexOf(0x3d, space);
    if (length === 0 || end > content.length || content[end - 1] !== 0x0a || equals === -1 || equals >= end) {
      throw new Error("a PAX record is malformed");
    }
    const key = content.toString("latin1", space + 1, equals);
    const value = content.toString("latin1", equals + 1, end - 1);
    if (!collectStretch(records, key, value)) records.set(key, value);
    at = end;
  }
  return records;
}

/**
 * The entry that a header with its PAX records and GNU long names means; `map` is a sparse file's if it came behind the header, and `storedBytes`
 * what follows. Throws an Error for kinds that no layer may hold.
 */
export function toEntry(
  raw: RawHeader,
  { pax, long }: Extensions,
  stored: { readonly bytes: number; readonly map: readonly Extent[] | undefined },
): TarEntry {
  const name = entryName(raw, { pax, long });
  const type = entryType(raw.typeFlag, name);
  const sparse = type === "file" ? sparseContent(raw, pax, stored) : undefined;
  return {
    name,
    type,
    size: type === "file" ? (sparse?.size ?? stored.bytes) : 0,
    ...(sparse === undefined ? {} : { extents: sparse.extents }),
    mode: raw.mode,
    uid: paxId(pax, "uid", raw.uid),
    gid: paxId(pax, "gid", raw.gid),
    mtime: paxTime(pax, raw.mtime),
    linkName: record(pax, "linkpath") ?? long.linkName ?? raw.linkName,
    ...device(raw, type),
    xattrs: paxXattrs(pax),
  };
}

/** What stood before a header and is said of it. */
export interface Extensions {
  readonly pax: ReadonlyMap<string, string>;
  readonly long: LongNames;
}

/** The name that an entry has in the end. */
export function entryName(raw: RawHeader, { pax, long }: Extensions): string {
  return paxSparseName(pax) ?? record(pax, "path") ?? long.name ?? raw.name;
}

/** A PAX record; one without a value takes back what was said before, and so the header holds. */
function record(pax: ReadonlyMap<string, string>, key: string): string | undefined {
  return pax.get(key) || undefined;
}

function sparseContent(
  raw: RawHeader,
  pax: ReadonlyMap<string, string>,
  { bytes, map }: { readonly bytes: number; readonly map: readonly Extent[] | undefined },
) {
  if (raw.sparse !== undefined) return checkedSparse(raw.sparse.size, map ?? raw.sparse.extents, bytes);
  if (paxSparseForm(pax) === "none") return undefined;
  return checkedSparse(paxSparseSize(pax), map ?? extentsOfRecords(pax), bytes);
}

export interface LongNames {
  readonly name: string | undefined;
  readonly linkName: string | undefined;
}

/** Content bytes behind a header: links and the like have none, whatever their size field says, as Go's and GNU's readers hold. */
export function contentBytes(raw: RawHeader, pax: ReadonlyMap<string, string>): number {
  return "123456".includes(raw.typeFlag) ? 0 : paxSize(pax, raw.size);
}

function entryType(flag: string, name: string): EntryType {
  switch (flag) {
    case "\0":
    case "0":
    case "7":
    case "S":
      // Archives from before ustar mark a directory by its name alone.
      return name.endsWith("/") ? "directory" : "file";
    case "1":
      return "link";
    case "2":
      return "symlink";
    case "3":
      return "char";
    case "4":
      return "block";
    case "5":
      return "directory";
    case "6":
      return "fifo";
    default:
      throw new Error(`entries of type ${JSON.stringify(flag)} are not supported`);
  }
}

const noXattrs: ReadonlyMap<string, string> = new Map();

function paxXattrs(pax: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  let xattrs: Map<string, string> | undefined;
  for (const [key, value] of pax) {
    if (!key.startsWith(xattrPrefix)) continue;
    xattrs ??= new Map();
    xattrs.set(key.slice(xattrPrefix.length), value);
  }
  return xattrs ?? noXattrs;
}

/** Linux has 12 bits for the major number and 20 for the minor. What is no device has neither, whatever its header says. */
function device(raw: RawHeader, type: EntryType): { devMajor: number; devMinor: number } {
  if (type !== "char" && type !== "block") return { devMajor: 0, devMinor: 0 };
  const { devMajor, devMinor } = raw;
  if (devMajor < 0 || devMajor > 0xfff || devMinor < 0 || devMinor > 0xfffff) {
    throw new Error(`its device number ${devMajor},${devMinor} does not exist`);
  }
  return { devMajor, devMinor };
}

function paxSize(pax: ReadonlyMap<string, string>, fallback: number): number {
  const value = record(pax, "size");
  return value === undefined ? fallback : size(/^\d{1,16}$/.test(value) ? Number(value) : -1);
}

function paxId(pax: ReadonlyMap<string, string>, key: string, fallback: number): number {
  const value = record(pax, key);
  const id = value === undefined ? fallback : Number(value);
  if (!Number.isInteger(id) || id < 0 || id > 0xffff_fffe) throw new Error(`its ${key} is not a user or group id`);
  return id;
}

function paxTime(pax: ReadonlyMap<string, string>, fallback: number): number {
  const value = record(pax, "mtime");
  const time = value === undefined ? fallback : Number(value);
  if (!Number.isFinite(time)) throw new Error("its mtime is not a number");
  return Math.floor(Math.max(0, Math.min(time, maxTime)));
}

function size(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new Error("its size is not a number of bytes");
  return value;
}

function text(block: Buffer, start: number, length: number): string {
  const zero = block.indexOf(0, start);
  return block.toString("latin1", start, zero === -1 || zero > start + length ? start + length : zero);
}

/** Octal digits, or GNU's big-endian binary when the first bit is set. */
export function number(block: Buffer, start: number, length: number): number {
  const first = block[start] ?? 0;
  if ((first & 0x80) !== 0) return binary(block.subarray(start, start + length));
  // Some writers fill up with NULs, or spaces, in front.
  const digits =
    block
      .toString("latin1", start, start + length)
      .replace(/^[\0 ]+/, "")
      .split("\0", 1)[0]
      ?.trim() ?? "";
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw new Error("a number in its header is malformed");
  return Number.parseInt(digits, 8);
}

function binary(bytes: Buffer): number {
  const negative = bytes[0] === 0xff;
  let value = negative ? -1 : (bytes[0] ?? 0) & 0x7f;
  for (const byte of bytes.subarray(1)) value = value * 256 + byte;
  if (!Number.isSafeInteger(value)) throw new Error("a number in its header is too large");
  return value;
}

function checksumMatches(block: Buffer): boolean {
  let sum = 0;
  // Some old writers summed signed characters.
  let signedSum = 0;
  for (let index = 0; index < blockBytes; index++) {
    const byte = index >= 148 && index < 156 ? 0x20 : (block[index] ?? 0);
    sum += byte;
    signedSum += byte > 127 ? byte - 256 : byte;
  }
  const digits = text(block, 148, 8).trim();
  const stored = /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
  return stored === sum || stored === signedSum;
}
