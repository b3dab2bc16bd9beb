const truncated = "the tar is cut off: unexpected end of data";

/** Takes as many bytes as wanted from chunks of any length. */
export class ChunkReader implements AsyncDisposable {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** So many bytes; `undefined` at the end of the data. Throws if they end in between. */
  async exactly(bytes: number): Promise<Buffer | undefined> {
    if (bytes > 0 && this.#rest.length === 0 && !(await this.#pull())) return undefined;
    return await this.whole(bytes);
  }

  async whole(bytes: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let left = bytes; left > 0; ) {
      const piece = await this.#piece(left);
      pieces.push(piece);
      left -= piece.length;
    }
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  }

  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0; ) left -= (await this.#piece(left)).length;
  }

  /** The next bytes, piece by piece, and how many of them nobody has taken. */
  bytes(bytes: number): { readonly chunks: AsyncIterable<Uint8Array>; readonly left: () => number } {
    let left = bytes;
    const next = () => this.#piece(left);
    const chunks = (async function* () {
      while (left > 0) {
        const piece = await next();
        left -= piece.length;
        yield piece;
      }
    })();
    return { chunks, left: () => left };
  }

  /** To the end of the data. */
  async drain(): Promise<void> {
    this.#rest = Buffer.alloc(0);
    while (await this.#pull()) this.#rest = Buffer.alloc(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.#chunks.return?.();
  }

  /** At least one byte, at most `most`. */
  async #piece(most: number): Promise<Buffer> {
    if (this.#rest.length === 0 && !(await this.#pull())) throw new Error(truncated);
    const piece = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  async #pull(): Promise<boolean> {
    while (!this.#ended) {
      const { done, value } = await this.#chunks.next().catch((error: unknown) => {
        this.#ended = true;
        throw error;
      });
      if (done === true) this.#ended = true;
      else if (value.length > 0) {
        this.#rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
        return true;
      }
    }
    return false;
  }
}
