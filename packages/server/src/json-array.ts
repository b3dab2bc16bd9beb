import { Readable } from "node:stream";

/** In characters. What fits is answered whole, so whatever is wrong with it is told by its status. */
const batchLength = 64 * 1024;

/**
 * An array as JSON text, made while it is read: a stream that holds one batch. An array of one batch is a string, and the first batch is there
 * before this resolves. What `items` throws later breaks the stream off; a stream that is destroyed ends `items`.
 */
export async function jsonArray(items: AsyncIterable<unknown>): Promise<string | Readable> {
  const texts = new ArrayText(items[Symbol.asyncIterator]());
  const first = await texts.next();
  if (texts.isOver) return first.value ?? "";
  let isFirst = true;
  const stream = Readable.from(
    {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          if (!isFirst) return texts.next();
          isFirst = false;
          return first;
        },
        // A generator that has not begun would end without a word to `items`.
        return: () => texts.return(),
      }),
    },
    { objectMode: false, highWaterMark: batchLength },
  );
  return stream;
}

class ArrayText {
  readonly #items: AsyncIterator<unknown>;
  #before = "[";
  #isOver = false;

  constructor(items: AsyncIterator<unknown>) {
    this.#items = items;
  }

  /** Whether the end of the array was given. */
  get isOver(): boolean {
    return this.#isOver;
  }

  async next(): Promise<IteratorResult<string, undefined>> {
    if (this.#isOver) return { done: true, value: undefined };
    let text = "";
    while (text.length < batchLength) {
      const item = await this.#items.next();
      if (item.done) {
        this.#isOver = true;
        return { done: false, value: `${text}${this.#before === "[" ? "[]" : "]"}` };
      }
      text += this.#before + JSON.stringify(item.value);
      this.#before = ",";
    }
    return { done: false, value: text };
  }

  async return(): Promise<IteratorResult<string, undefined>> {
    this.#isOver = true;
    await this.#items.return?.();
    return { done: true, value: undefined };
  }
}
