import type { ByteString } from "../bytes.ts";

/**
 * One tar header, as POSIX ustar, PAX and GNU write it. Not tar-stream, which decodes names as UTF-8, cuts owners above 2^18, and knows neither
 * nanoseconds nor holes.
 *
 *   offset  0    100   108  116  124   136    148     156   157      257    329       337       345
 *           name mode  uid  gid  size  mtime  chksum  type  linkname magic  devmajor  devminor  prefix
 */
export const blockBytes = 512;

export type EntryType = "file" | "link" | "symlink" | "character-device" | "block-device" | "directory" | "fifo";

export interface TarHeader {
  /** As written: may begin with `./` or `/`, and a directory's may end in `/`. */
  readonly name: ByteString;
  /** Anything else is one that the writer's flag names. */
  readonly type: EntryType | `entry of type ${string}`;
  /** Of a file, holes included. */
  readonly sizeBytes: number;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly mtimeNs: bigint;
  readonly uid: number;
  readonly gid: number;
  /** Of a link or symlink. */
  readonly linkName: ByteString;
  readonly devMajor: number;
  readonly devMinor: number;
  /** Where a file with holes has its data, in order; its content is those pieces alone. */
  readonly data?: readonly Extent[];
}

export interface Extent {
  readonly offset: number;
  readonly length: number;
}

/** What a header block says before PAX records and GNU's long names are applied. */
export interface RawHeader extends Omit<TarHeader, "type" | "mtimeNs" | "data"> {
  readonly flag: string;
  readonly mtimeSeconds: number;
}

const types: Readonly<Record<string, EntryType>> = {
  "\0": "file",
  "0": "file",
  "1": "link",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
  "7": "file",
  S: "file",
};

export function entryType(flag: string, name: ByteString): TarHeader["type"] {
  // Archives from before ustar mark a directory by its name alone.
  if ("\x000".includes(flag) && name.endsWith("/")) return "directory";
  return types[flag] ?? `entry of type ${JSON.stringify(flag)}`;
}

export function flagOf(type: EntryType): string {
  return type === "file" ? "0" : (Object.entries(types).find(([, name]) => name === type)?.[0] ?? "0");
}

/** `undefined` for the block of zeros that ends an archive. Throws an Error that says what is wrong. */
export function decodeHeader(block: Buffer): RawHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (!isChecksumRight(block)) throw new Error("this is no tar header (its checksum is wrong)");
  const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? text(block, 345, 155) : "";
  const name = text(block, 0, 100);
  return {
    flag: String.fromCharCode(block[156] ?? 0),
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    sizeBytes: size(number(block, 124, 12)),
    mtimeSeconds: number(block, 136, 12),
    linkName: text(block, 157, 100),
    devMajor: number(block, 329, 8),
    devMinor: number(block, 337, 8),
  };
}

/** What fills up the last block of so many bytes. */
export function paddingBytes(bytes: number): number {
  return (blockBytes - (bytes % blockBytes)) % blockBytes;
}

export function size(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new Error("an entry's size is not a number of bytes");
  return value;
}

/** A header whose checksum is right. */
export function isChecksumRight(block: Uint8Array): boolean {
  const sum = checksum(block);
  const digits = Buffer.from(block).toString("latin1", 148, 156).replaceAll("\0", " ").trim();
  return /^[0-7]+$/.test(digits) && Number.parseInt(digits, 8) === sum;
}

/** The field of the sum itself counts as spaces. */
export function checksum(block: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < blockBytes; at++) sum += at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
  return sum;
}

function text(block: Buffer, start: number, length: number): ByteString {
  const zero = block.indexOf(0, start);
  return block.toString("latin1", start, zero === -1 || zero > start + length ? start + length : zero);
}

/** Octal digits, or GNU's big-endian binary when the first bit is set. */
function number(block: Buffer, start: number, length: number): number {
  const first = block[start] ?? 0;
  if ((first & 0x80) !== 0) {
    let value = first === 0xff ? -1 : first & 0x7f;
    for (const byte of block.subarray(start + 1, start + length)) value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) throw new Error("a number in a tar header is too large");
    return value;
  }
  const digits = text(block, start, length).trim();
  if (digits === "") return 0;
  if (!/^[0-7]+$/.test(digits)) throw new Error("a number in a tar header is malformed");
  return Number.parseInt(digits, 8);
}
