import type { OutputPiece } from "../ports/store.ts";

/**
 * Turns one stream's bytes into events. A character cut by a read waits for its other bytes, at most 3; what is not UTF-8 goes out as
 * base64, so that no byte is lost.
 */
export class OutputText {
  readonly #stream: "stdout" | "stderr";
  #held: Buffer = Buffer.alloc(0);

  constructor(stream: "stdout" | "stderr") {
    this.#stream = stream;
  }

  /** Bytes that were taken in and not given out yet. */
  get heldBytes(): number {
    return this.#held.length;
  }

  add(data: Uint8Array): OutputPiece[] {
    const bytes = this.#held.length === 0 ? asBuffer(data) : Buffer.concat([this.#held, data]);
    const complete = bytes.length - incompleteTail(bytes);
    this.#held = Buffer.from(bytes.subarray(complete));
    return complete === 0 ? [] : [this.#event(bytes.subarray(0, complete))];
  }

  /** At the end of the stream: what is held is all there will be. */
  end(): OutputPiece[] {
    const bytes = this.#held;
    this.#held = Buffer.alloc(0);
    return bytes.length === 0 ? [] : [this.#event(bytes)];
  }

  #event(bytes: Buffer): OutputPiece {
    const text = decode(bytes);
    return text === undefined
      ? { stream: this.#stream, data: bytes.toString("base64"), base64: true, bytes: bytes.length }
      : { stream: this.#stream, data: text, base64: false, bytes: bytes.length };
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes: Buffer): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** How many bytes at the end begin a UTF-8 character that is not complete. RFC 3629, section 3. */
function incompleteTail(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? back : 0;
    }
  }
  return 0;
}

function asBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
