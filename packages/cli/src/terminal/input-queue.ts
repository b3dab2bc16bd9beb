/** More than anyone types; a paste of more waits outside. */
const maxBytes = 1024 * 1024;

/** Keys on their way to a program that may not take them yet: whoever reads them gets all there is in one piece. One reader. */
export class InputQueue implements AsyncIterable<Uint8Array> {
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #ended = false;
  #wakeReader = () => {};
  #wakeWriter = () => {};

  /** Resolves when more may be added. */
  async push(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0 || this.#ended) return;
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    this.#wakeReader();
    while (this.#bytes > maxBytes && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wakeWriter = resolve;
      });
    }
  }

  /** What is in it is still handed out. */
  end(): void {
    this.#ended = true;
    this.#wakeReader();
    this.#wakeWriter();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#pieces.length > 0) {
        const bytes = Buffer.concat(this.#pieces);
        this.#pieces = [];
        this.#bytes = 0;
        this.#wakeWriter();
        yield bytes;
      } else if (this.#ended) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
      }
    }
  }
}
