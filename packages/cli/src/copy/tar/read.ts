import type { ByteString } from "../bytes.ts";
import { ChunkReader } from "./chunk-reader.ts";
import {
  blockBytes,
  decodeHeader,
  type Extent,
  entryType,
  paddingBytes,
  type RawHeader,
  size,
  type TarHeader,
} from "./header.ts";
import { decodeNumber, decodePax, decodeTime, type PaxRecords } from "./pax.ts";

export interface TarEntry {
  readonly header: TarHeader;
  /** Of a file. What is not read of it is skipped. */
  readonly content: AsyncIterable<Uint8Array>;
}

export interface TarOptions {
  /** Is told what the box could not read, or not whole: see `full` in docs/guest-protocol.md. */
  readonly onIncomplete?: (path: ByteString, reason: string) => void;
}

/** Longest PAX header, GNU long name or map of a sparse file, in bytes. */
const metadataLimitBytes = 4 * 1024 * 1024;
/** Digits of a number in such a map. */
const longestNumber = 16;

/** Entries of a tar stream, one after the other. Throws what breaks the stream, and an Error for what is no tar or ends too early. */
export async function* tarEntries(
  chunks: AsyncIterable<Uint8Array>,
  options: TarOptions = {},
): AsyncGenerator<TarEntry> {
  await using source = new ChunkReader(chunks);
  let pax: Map<string, ByteString> = new Map();
  for (;;) {
    const block = await source.exactly(blockBytes);
    const raw = block && decodeHeader(block);
    if (raw === undefined) break;
    if (raw.flag === "x" || raw.flag === "g") {
      const records = decodePax(await metadata(source, raw.sizeBytes));
      if (raw.flag === "x") pax = new Map([...pax, ...records]);
      else tellIncomplete(records, options);
    } else if (raw.flag === "L" || raw.flag === "K") {
      const content = await metadata(source, raw.sizeBytes);
      pax.set(raw.flag === "L" ? "path" : "linkpath", content.toString("latin1").replace(/\0.*$/s, ""));
    } else {
      yield* entry(source, raw, pax);
      pax = new Map();
    }
  }
  // What follows the end mark is padding, but a transfer that breaks off in it is told.
  await source.drain();
}

async function* entry(source: ChunkReader, raw: RawHeader, pax: PaxRecords): AsyncGenerator<TarEntry> {
  const isLink = "123456".includes(raw.flag);
  const recorded = pax.get("size");
  let left = isLink ? 0 : recorded === undefined ? raw.sizeBytes : decodeNumber(recorded, Number.MAX_SAFE_INTEGER);
  const padding = paddingBytes(left);
  const described = describe(raw, pax, left);
  const sparse = described.type === "file" ? await sparseOf(source, raw, pax, left) : undefined;
  if (sparse !== undefined) left -= sparse.mapBytes;
  const header = sparse === undefined ? described : { ...described, sizeBytes: sparse.sizeBytes, data: sparse.data };
  const content = source.bytes(left);
  yield { header, content: content.chunks };
  await source.skip(content.left() + padding);
}

function describe(raw: RawHeader, pax: PaxRecords, sizeBytes: number): TarHeader {
  const name = pax.get("path") ?? raw.name;
  const id = (key: string, plain: number) => decodeNumber(pax.get(key) ?? String(plain), 0xffff_fffe);
  const { mode, devMajor, devMinor } = raw;
  return {
    name: pax.get("GNU.sparse.name") ?? name,
    type: entryType(raw.flag, name),
    sizeBytes,
    mode,
    mtimeNs: decodeTime(pax.get("mtime") ?? "") ?? BigInt(raw.mtimeSeconds) * 1_000_000_000n,
    uid: id("uid", raw.uid),
    gid: id("gid", raw.gid),
    linkName: pax.get("linkpath") ?? raw.linkName,
    devMajor,
    devMinor,
  };
}

interface Sparse {
  readonly sizeBytes: number;
  readonly data: readonly Extent[];
  readonly mapBytes: number;
}

/** The map that the content of a sparse file of GNU's PAX format 1.0 begins with: decimal numbers, one a line, filled up to a block. */
async function sparseOf(
  source: ChunkReader,
  raw: RawHeader,
  pax: PaxRecords,
  archivedBytes: number,
): Promise<Sparse | undefined> {
  const version = `${pax.get("GNU.sparse.major")}.${pax.get("GNU.sparse.minor")}`;
  const isOther = raw.flag === "S" || [...pax.keys()].some((key) => key.startsWith("GNU.sparse."));
  if (version !== "1.0") {
    if (isOther) throw new Error("a file with holes is in a format that is not read here (PAX 1.0 is)");
    return undefined;
  }
  const realsize = decodeNumber(pax.get("GNU.sparse.realsize") ?? "", Number.MAX_SAFE_INTEGER);
  const numbers: number[] = [];
  const isWhole = () => numbers[0] !== undefined && numbers.length > 2 * numbers[0];
  let begun = "";
  let mapBytes = 0;
  while (!isWhole()) {
    if (mapBytes + blockBytes > Math.min(archivedBytes, metadataLimitBytes) || begun.length > longestNumber) {
      throw malformedMap();
    }
    const lines = (begun + (await source.whole(blockBytes)).toString("latin1")).split("\n");
    begun = lines.pop() ?? "";
    for (const line of lines) if (!isWhole()) numbers.push(decodeNumber(line, Number.MAX_SAFE_INTEGER));
    mapBytes += blockBytes;
  }
  const data: Extent[] = [];
  let end = 0;
  let total = 0;
  for (let at = 1; at < numbers.length; at += 2) {
    const [offset = 0, length = 0] = numbers.slice(at, at + 2);
    if (offset < end || offset + length > realsize) throw malformedMap();
    end = size(offset + length);
    total += length;
    if (length > 0) data.push({ offset, length });
  }
  if (total !== archivedBytes - mapBytes) throw malformedMap();
  return { sizeBytes: realsize, data, mapBytes };
}

function malformedMap(): Error {
  return new Error("the map of a file with holes is malformed");
}

async function metadata(source: ChunkReader, bytes: number): Promise<Buffer> {
  if (bytes > metadataLimitBytes) throw new Error(`an extended header is larger than ${metadataLimitBytes} bytes`);
  const content = await source.whole(bytes);
  await source.skip(paddingBytes(bytes));
  return content;
}

function tellIncomplete(records: PaxRecords, { onIncomplete }: TarOptions): void {
  const path = records.get("BOXRUN.incomplete.path");
  const reason = records.get("BOXRUN.incomplete.reason");
  if (path !== undefined && reason !== undefined) onIncomplete?.(path, reason);
}
