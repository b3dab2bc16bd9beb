/**
 * Sparse files, in each of the ways in which GNU tar has written them: what is stored are stretches, everything between them is zeros.
 *
 *   old GNU   type `S`; four stretches in the header, 21 more in each block that follows
 *   PAX 0.0   a pair of records GNU.sparse.offset and GNU.sparse.numbytes for each stretch
 *   PAX 0.1   one record GNU.sparse.map with all of them
 *   PAX 1.0   GNU.sparse.major is 1; the content begins with the map, as lines of digits, filled up to whole blocks
 */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

/** What a sparse file holds: its whole size, and the stretches that are stored, in order. */
export interface SparseContent {
  readonly size: number;
  readonly extents: readonly Extent[];
}

/** Longest map, in bytes of its archive; some 30,000 stretches. */
const maxMapBytes = 1024 * 1024;

/** Zeros cost time wherever they are written, so a size that nobody has is refused; the `lastlog` of the largest user id has 1.2 TB. */
const maxSparseBytes = 2 * 1024 ** 4;

const mapRecord = "GNU.sparse.map";

/** Puts a record of PAX 0.0 where 0.1 has the map; tells whether it was one. Records of the same name would replace each other. */
export function collectStretch(records: Map<string, string>, key: string, value: string): boolean {
  if (key !== "GNU.sparse.offset" && key !== "GNU.sparse.numbytes") return false;
  const before = records.get(mapRecord);
  records.set(mapRecord, before === undefined ? value : `${before},${value}`);
  return true;
}

/** Whether a PAX header makes its file a sparse one, and whether the map is in the file's content. */
export function paxSparseForm(pax: ReadonlyMap<string, string>): "none" | "records" | "content" {
  const major = pax.get("GNU.sparse.major");
  const minor = pax.get("GNU.sparse.minor");
  if (major === "1" && minor === "0") return "content";
  if (major !== undefined && (major !== "0" || (minor !== "0" && minor !== "1"))) {
    throw new Error(`it is sparse in version ${major}.${minor ?? "?"} of the format, which nobody has defined`);
  }
  return pax.has(mapRecord) || pax.has("GNU.sparse.size") ? "records" : "none";
}

export function paxSparseName(pax: ReadonlyMap<string, string>): string | undefined {
  return pax.get("GNU.sparse.name") || undefined;
}

/** The map of PAX 0.0 and 0.1. */
export function extentsOfRecords(pax: ReadonlyMap<string, string>): Extent[] {
  const map = pax.get(mapRecord) ?? "";
  return pairs(map === "" ? [] : map.split(","));
}

/** The size that a PAX header gives a sparse file. */
export function paxSparseSize(pax: ReadonlyMap<string, string>): number {
  return wholeNumber(pax.get("GNU.sparse.realsize") ?? pax.get("GNU.sparse.size") ?? "");
}

/** Throws an Error unless the stretches are in order, within the file, and as long together as what is stored. */
export function checkedSparse(size: number, extents: readonly Extent[], storedBytes: number): SparseContent {
  if (size > maxSparseBytes) throw new Error(`it is a sparse file of more than ${maxSparseBytes} bytes`);
  let end = 0;
  let stored = 0;
  for (const { offset, length } of extents) {
    if (offset < end || offset + length > size) throw new Error("the map of its sparse content is malformed");
    end = offset + length;
    stored += length;
  }
  if (stored !== storedBytes) throw new Error("its sparse content is not as long as its map says");
  return { size, extents };
}

/** Collects the map of PAX 1.0, block by block. */
export class SparseMapReader {
  #text = "";
  #lines = 0;

  /** The map, once it is complete. */
  add(block: Buffer): Extent[] | undefined {
    this.#text += block.toString("latin1");
    if (this.#text.length > maxMapBytes) throw new Error("the map of its sparse content is too long");
    for (const byte of block) if (byte === 0x0a) this.#lines += 1;
    if (this.#lines === 0) return undefined;
    const count = wholeNumber(this.#text.slice(0, this.#text.indexOf("\n")));
    if (this.#lines < 1 + 2 * count) return undefined;
    return pairs(this.#text.split("\n").slice(1, 1 + 2 * count));
  }
}

/** Collects the map of an old GNU header from the blocks behind it. */
export class SparseBlocks {
  readonly extents: Extent[];

  constructor(extents: readonly Extent[]) {
    this.extents = [...extents];
  }

  /** True if another block follows. */
  add(block: Buffer, number: (block: Buffer, start: number, length: number) => number): boolean {
    this.extents.push(...headerExtents(block, 0, 21, number));
    if (this.extents.length * 24 > maxMapBytes) throw new Error("the map of its sparse content is too long");
    return block[504] !== 0;
  }
}

/** The stretches in a header block; one of nothing at the start, all zeros, ends them. */
export function headerExtents(
  block: Buffer,
  start: number,
  count: number,
  number: (block: Buffer, start: number, length: number) => number,
): Extent[] {
  const extents: Extent[] = [];
  for (let at = start; at < start + 24 * count && block[at] !== 0; at += 24) {
    extents.push({ offset: wholeNumber(number(block, at, 12)), length: wholeNumber(number(block, at + 12, 12)) });
  }
  return extents;
}

/** The map as PAX 1.0 has it before the content; its length is that of whole blocks. */
export function encodeSparseMap(extents: readonly Extent[], blockBytes: number): Buffer {
  const text = `${extents.length}\n${extents.map(({ offset, length }) => `${offset}\n${length}\n`).join("")}`;
  return Buffer.concat([Buffer.from(text), Buffer.alloc((blockBytes - (text.length % blockBytes)) % blockBytes)]);
}

function pairs(numbers: readonly string[]): Extent[] {
  const extents: Extent[] = [];
  for (let at = 0; at < numbers.length; at += 2) {
    extents.push({ offset: wholeNumber(numbers[at] ?? ""), length: wholeNumber(numbers[at + 1] ?? "") });
  }
  return extents;
}

function wholeNumber(value: string | number): number {
  const number = typeof value === "number" || /^\d{1,16}$/.test(value) ? Number(value) : -1;
  if (!Number.isSafeInteger(number) || number < 0) throw new Error("the map of its sparse content is malformed");
  return number;
}
