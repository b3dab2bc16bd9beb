import {
  blockBytes,
  contentBytes,
  decodeHeader,
  decodePax,
  entryName,
  type LongNames,
  number,
  type RawHeader,
  type TarEntry,
  toEntry,
} from "./tar-header.ts";
import { type Extent, paxSparseForm, SparseBlocks, SparseMapReader } from "./tar-sparse.ts";

/** Longest PAX header or GNU long name, in bytes: Go's reader, which makes most layers, draws the line at the same place. */
const metadataLimitBytes = 1024 * 1024;

const noPax: ReadonlyMap<string, string> = new Map();
const noLongNames: LongNames = { name: undefined, linkName: undefined };

export interface TarVisitor {
  /** Every entry, in order. Throwing ends the parse. */
  entry(entry: TarEntry): void;
  /** A piece of the last entry's content. */
  content(chunk: Buffer): void;
}

/** Which entry something went wrong at. */
export class TarError extends Error {
  /** As written in the archive, undecoded; empty before the first entry. */
  readonly entryName: string;

  constructor(message: string, entryName: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.entryName = entryName;
  }
}

/** Parses a tar that comes in pieces. Contents are passed on, never kept. Throws TarError; errors of the visitor pass through. */
export class TarParser {
  readonly #visitor: TarVisitor;
  #pending: Buffer = Buffer.alloc(0);
  #state: "header" | "metadata" | "sparse-blocks" | "sparse-map" | "content" | "padding" | "ended" = "header";
  /** Bytes left of content or padding, or to be collected of metadata. */
  #left = 0;
  #padding = 0;
  #metadata: RawHeader | undefined;
  /** The header of a sparse file whose map is being collected. */
  #sparse: RawHeader | undefined;
  #sparseBlocks = new SparseBlocks([]);
  #sparseMap = new SparseMapReader();
  #pax = noPax;
  #long = noLongNames;
  #name = "";

  constructor(visitor: TarVisitor) {
    this.#visitor = visitor;
  }

  write(chunk: Buffer): void {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (rest.length > 0) {
      const used = this.#step(rest);
      if (used === 0) break;
      rest = rest.subarray(used);
    }
    // What is left is shorter than a header or a bounded piece of metadata; a copy lets the chunk go.
    this.#pending = rest.length === 0 ? rest : Buffer.from(rest);
  }

  /** The archive is over: throws if it ended in the middle of something. A missing end mark is common and fine. */
  end(): void {
    if (this.#state === "ended") return;
    const between = this.#state === "header" || (this.#state === "padding" && this.#pending.length === 0);
    if (!between || this.#pending.length > 0 || this.#pax !== noPax || this.#long !== noLongNames) {
      throw new TarError("the archive is truncated", this.#name);
    }
  }

  /** Takes what it can from the front of `bytes`; 0 if it needs more. */
  #step(bytes: Buffer): number {
    switch (this.#state) {
      case "header":
        if (bytes.length < blockBytes) return 0;
        this.#header(bytes.subarray(0, blockBytes));
        return blockBytes;
      case "metadata":
        if (bytes.length < this.#left) return 0;
        this.#takeMetadata(bytes.subarray(0, this.#left));
        return this.#endContent();
      case "sparse-blocks":
      case "sparse-map":
        if (bytes.length < blockBytes) return 0;
        this.#collectMap(bytes.subarray(0, blockBytes));
        return blockBytes;
      case "content": {
        const piece = bytes.subarray(0, this.#left);
        this.#visitor.content(piece);
        if (piece.length === this.#left) return this.#endContent();
        this.#left -= piece.length;
        return piece.length;
      }
      case "padding": {
        const skipped = Math.min(bytes.length, this.#padding);
        this.#padding -= skipped;
        if (this.#padding === 0) this.#state = "header";
        return skipped;
      }
      case "ended":
        return bytes.length;
    }
  }

  #endContent(): number {
    const used = this.#left;
    this.#left = 0;
    this.#state = this.#padding > 0 ? "padding" : "header";
    return used;
  }

  #header(block: Buffer): void {
    try {
      const raw = decodeHeader(block);
      if (raw === undefined) {
        this.#state = "ended";
        return;
      }
      if ("xgLK".includes(raw.typeFlag)) this.#expectMetadata(raw);
      else this.#entry(raw);
    } catch (error) {
      throw this.#located(error);
    }
  }

  #expectMetadata(raw: RawHeader): void {
    if (raw.size > metadataLimitBytes)
      throw new Error(`its extended header is larger than ${metadataLimitBytes} bytes`);
    this.#metadata = raw;
    this.#expect(raw.size, "metadata");
    if (raw.size === 0) this.#takeMetadata(Buffer.alloc(0));
  }

  #takeMetadata(content: Buffer): void {
    try {
      const flag = this.#metadata?.typeFlag;
      if (flag === "x") this.#pax = decodePax(content);
      // "g" sets defaults for all that follows; container runtimes ignore it, and so do we.
      if (flag === "L") this.#long = { ...this.#long, name: untilNul(content) };
      if (flag === "K") this.#long = { ...this.#long, linkName: untilNul(content) };
    } catch (error) {
      throw this.#located(error);
    }
  }

  #entry(raw: RawHeader): void {
    const extensions = { pax: this.#pax, long: this.#long };
    this.#name = entryName(raw, extensions);
    this.#left = contentBytes(raw, this.#pax);
    if (raw.sparse?.extended === true) {
      this.#sparse = raw;
      this.#sparseBlocks = new SparseBlocks(raw.sparse.extents);
      this.#state = "sparse-blocks";
    } else if (raw.sparse === undefined && paxSparseForm(this.#pax) === "content") {
      this.#sparse = raw;
      this.#sparseMap = new SparseMapReader();
      this.#state = "sparse-map";
    } else {
      this.#complete(raw, undefined);
    }
  }

  /** One block of a sparse file's map. Those behind an old header are none of its content, those of PAX 1.0 are. */
  #collectMap(block: Buffer): void {
    try {
      const raw = this.#sparse;
      if (raw === undefined) throw new Error("a sparse file has no header");
      if (this.#state === "sparse-blocks") {
        if (!this.#sparseBlocks.add(block, number)) this.#complete(raw, this.#sparseBlocks.extents);
        return;
      }
      this.#left -= blockBytes;
      if (this.#left < 0) throw new Error("the map of its sparse content is cut off");
      const map = this.#sparseMap.add(block);
      if (map !== undefined) this.#complete(raw, map);
    } catch (error) {
      throw this.#located(error);
    }
  }

  /** All is known of an entry, and `#left` bytes of content follow. */
  #complete(raw: RawHeader, map: readonly Extent[] | undefined): void {
    const bytes = this.#left;
    const entry = toEntry(raw, { pax: this.#pax, long: this.#long }, { bytes, map });
    this.#sparse = undefined;
    this.#pax = noPax;
    this.#long = noLongNames;
    if (entry.type !== "file" && bytes > 0) throw new Error("a directory cannot have content");
    this.#visitor.entry(entry);
    this.#expect(bytes, "content");
  }

  #expect(bytes: number, state: "metadata" | "content"): void {
    this.#left = bytes;
    this.#padding = (blockBytes - (bytes % blockBytes)) % blockBytes;
    this.#state = bytes > 0 ? state : "header";
  }

  #located(error: unknown): unknown {
    if (!(error instanceof Error) || error.constructor !== Error) return error;
    return new TarError(error.message, this.#name, error);
  }
}

function untilNul(content: Buffer): string {
  const zero = content.indexOf(0);
  return content.toString("latin1", 0, zero === -1 ? content.length : zero);
}
