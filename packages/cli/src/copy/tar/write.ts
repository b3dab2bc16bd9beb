import { type ByteString, isText, toBuffer } from "../bytes.ts";
import { blockBytes, checksum, type EntryType, type Extent, flagOf, paddingBytes, type TarHeader } from "./header.ts";
import { encodePax, encodeTime } from "./pax.ts";

/** What is to be said of an entry. A file's content is exactly `sizeBytes` bytes, or the bytes of `data` if it has holes. */
export type NewEntry = Pick<TarHeader, "name" | "mode" | "mtimeNs"> & Partial<TarHeader> & { readonly type: EntryType };

/** Largest values of the octal fields; what is larger goes into a PAX record. */
const maxId = 0o7777777;
const maxSize = 0o77777777777;
const maxDevice = 0o7777777;
const nameBytes = 100;

/** An entry of a tar stream: its headers, its content, and what fills up its last block. */
export async function* tarEntry(entry: NewEntry, content?: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const map = entry.data === undefined ? undefined : sparseMap(entry.data, entry.sizeBytes ?? 0);
  const size = archivedBytes(entry, map);
  yield Buffer.concat([...headers(entry, size), map ?? Buffer.alloc(0)]);
  if (content !== undefined) yield* content;
  yield padding(size);
}

/** What ends a tar stream. */
export const tarEnd = Buffer.alloc(2 * blockBytes);

/** The same bytes in chunks of 64 KiB or more: an entry of a small file is three tiny ones. */
export async function* gathered(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    waiting.push(chunk);
    bytes += chunk.length;
    if (bytes < 64 * 1024) continue;
    yield waiting.length === 1 ? chunk : Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(waiting);
}

function archivedBytes({ type, data, sizeBytes = 0 }: NewEntry, map: Buffer | undefined): number {
  if (type !== "file") return 0;
  if (data === undefined || map === undefined) return sizeBytes;
  return data.reduce((bytes, { length }) => bytes + length, map.length);
}

/** With a PAX header before it if the plain one can't say it all. */
function headers(entry: NewEntry, size: number): Buffer[] {
  const { mtimeNs, uid = 0, gid = 0, linkName = "", data } = entry;
  const name = entry.type === "directory" && !entry.name.endsWith("/") ? `${entry.name}/` : entry.name;
  const records = new Map<string, ByteString>();
  if (data !== undefined) {
    records.set("GNU.sparse.major", "1").set("GNU.sparse.minor", "0");
    records.set("GNU.sparse.name", name).set("GNU.sparse.realsize", String(entry.sizeBytes ?? 0));
  } else if (name.length > nameBytes) records.set("path", name);
  if (linkName.length > nameBytes) records.set("linkpath", linkName);
  if (![...records.values()].every(isText)) records.set("hdrcharset", "BINARY");
  if (size > maxSize) records.set("size", String(size));
  if (uid > maxId) records.set("uid", String(uid));
  if (gid > maxId) records.set("gid", String(gid));
  const seconds = mtimeNs / 1_000_000_000n;
  const isPlainTime = mtimeNs >= 0n && mtimeNs === seconds * 1_000_000_000n && seconds <= BigInt(maxSize);
  if (!isPlainTime) records.set("mtime", encodeTime(mtimeNs));
  const plainName = data === undefined ? name : "GNUSparseFile.0";
  const block = header({ ...entry, name: plainName }, flagOf(entry.type), size, isPlainTime ? Number(seconds) : 0);
  if (records.size === 0) return [block];
  const pax = encodePax(records);
  const paxEntry: NewEntry = { name: "pax", type: "file", mode: 0o644, mtimeNs: 0n };
  return [header(paxEntry, "x", pax.length, 0), pax, padding(pax.length), block];
}

function header(entry: NewEntry, flag: string, size: number, seconds: number): Buffer {
  const { name, mode, uid = 0, gid = 0, linkName = "", devMajor = 0, devMinor = 0 } = entry;
  const block = Buffer.alloc(blockBytes);
  const octal = (start: number, length: number, value: number) =>
    block.write(value.toString(8).padStart(length - 1, "0"), start, length - 1, "latin1");
  toBuffer(name.slice(0, nameBytes)).copy(block);
  octal(100, 8, mode & 0o7777);
  octal(108, 8, uid > maxId ? 0 : uid);
  octal(116, 8, gid > maxId ? 0 : gid);
  octal(124, 12, size > maxSize ? 0 : size);
  octal(136, 12, seconds);
  block.write(flag, 156, "latin1");
  toBuffer(linkName.slice(0, nameBytes)).copy(block, 157);
  block.write("ustar\x0000", 257, "latin1");
  octal(329, 8, Math.min(devMajor, maxDevice));
  octal(337, 8, Math.min(devMinor, maxDevice));
  block.write(`${checksum(block).toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** GNU's, of version 1.0: where there is data, as decimal numbers, and where the file ends. */
function sparseMap(data: readonly Extent[], sizeBytes: number): Buffer {
  const last = data.at(-1);
  const all =
    (last === undefined ? 0 : last.offset + last.length) < sizeBytes
      ? [...data, { offset: sizeBytes, length: 0 }]
      : data;
  const text = Buffer.from(`${[all.length, ...all.flatMap(({ offset, length }) => [offset, length])].join("\n")}\n`);
  return Buffer.concat([text, padding(text.length)]);
}

function padding(bytes: number): Buffer {
  return Buffer.alloc(paddingBytes(bytes));
}
