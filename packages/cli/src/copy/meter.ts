import { amountLine } from "../output/bar.ts";
import { type Progress, showProgress } from "../output/progress.ts";
import { RateMeter } from "../output/rate.ts";

/** How far a transfer is, shown on a terminal when it takes longer than a second. */
export class CopyMeter implements Disposable {
  readonly #rate = new RateMeter();
  readonly #progress: Progress;
  #doneBytes = 0;
  #totalBytes: number | undefined;
  #findTotal: (() => Promise<number | undefined>) | undefined;

  /** `label` says what is going on: "Copying". */
  constructor(label: string, options: { readonly json: boolean }) {
    this.#progress = showProgress((canvas) => {
      this.#lookForTotal();
      const bytesPerSecond = this.#rate.add(this.#doneBytes, performance.now());
      const amount = { doneBytes: this.#doneBytes, totalBytes: this.#totalBytes, bytesPerSecond };
      return [amountLine(label, amount, canvas)];
    }, options);
  }

  /** Says how to find out how many bytes there are; that is done only where it is shown. */
  expect(findTotal: () => Promise<number | undefined>): void {
    this.#findTotal = findTotal;
  }

  /** Passes on what goes through, and counts it. */
  readonly count = async function* (this: CopyMeter, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#doneBytes += chunk.length;
      yield chunk;
    }
  }.bind(this);

  /** Leaves a line that says what was done: "copied", with how much and how fast. */
  finish(what: string): void {
    this.#progress.finish(what, this.#doneBytes);
  }

  [Symbol.dispose](): void {
    this.#progress[Symbol.dispose]();
  }

  #lookForTotal(): void {
    const find = this.#findTotal;
    this.#findTotal = undefined;
    find?.().then(
      (bytes) => {
        this.#totalBytes = bytes;
      },
      // The copy itself says what is wrong.
      () => undefined,
    );
  }
}
