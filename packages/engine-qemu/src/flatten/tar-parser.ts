import {
  blockBytes,
  contentBytes,
  decodeHeader,
  decodePax,
  type LongNames,
  type RawHeader,
  type TarEntry,
  toEntry,
} from "./tar-header.ts";

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
  #state: "header" | "metadata" | "content" | "padding" | "ended" = "header";
  /** Bytes left of content or padding, or to be collected of metadata. */
  #left = 0;
  #padding = 0;
  #metadata: RawHeader | undefined;
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
    this.#name = this.#pax.get("path") ?? this.#long.name ?? raw.name;
    const entry = toEntry(raw, this.#pax, this.#long);
    const bytes = contentBytes(raw, this.#pax);
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
