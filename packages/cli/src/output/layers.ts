import type { PullProgress } from "@boxrun/contract";
import { type Amount, amountLine, bar, type Canvas } from "./bar.ts";
import { bytes, oneLine } from "./text.ts";

/** Of a layer's digest: enough to tell layers apart. */
const digestCharacters = 12;
const barColumns = 24;

/** What is known of a pull: the last report of every layer, and of the whole. */
export class PullState {
  #message = "";
  #doneBytes = 0;
  #totalBytes: number | undefined;
  readonly #layers = new Map<string, PullProgress>();

  take(progress: PullProgress): void {
    if (progress.layer !== undefined) {
      this.#layers.set(progress.layer, progress);
      return;
    }
    this.#message = oneLine(progress.message);
    if (progress.done_bytes !== undefined) this.#doneBytes = progress.done_bytes;
    if (progress.total_bytes !== undefined) this.#totalBytes = progress.total_bytes;
  }

  get doneBytes(): number {
    return this.#doneBytes;
  }

  /** A line for each layer, as far as they fit, and one for the whole. */
  draw(label: string, bytesPerSecond: number | undefined, canvas: Canvas): string[] {
    const amount: Amount = { doneBytes: this.#doneBytes, totalBytes: this.#totalBytes, bytesPerSecond };
    // Before the first byte, and when all are here, there is more to say than how many.
    const total =
      this.#message === "pulling"
        ? amountLine(label, amount, canvas)
        : `${label}  ${this.#message}`.slice(0, canvas.columns - 1);
    const layers = [...this.#layers.values()].map((layer) => layerLine(layer, canvas));
    const room = Math.max(0, canvas.rows - 3);
    if (layers.length > room) {
      // Those that are done have the least to say.
      const open = [...this.#layers.values()].filter((layer) => !isDone(layer)).slice(0, room);
      layers.splice(0, layers.length, ...open.map((layer) => layerLine(layer, canvas)));
      const left = this.#layers.size - open.length;
      layers.push(`  and ${left} more ${left === 1 ? "layer" : "layers"}`);
    }
    return [...layers, total];
  }
}

function isDone({ done_bytes, total_bytes }: PullProgress): boolean {
  return done_bytes !== undefined && done_bytes === total_bytes;
}

function layerLine(progress: PullProgress, canvas: Canvas): string {
  const { message, layer = "", done_bytes, total_bytes } = progress;
  const name = oneLine(layer)
    .replace(/^sha256:/, "")
    .slice(0, digestCharacters)
    .padEnd(digestCharacters);
  const total = total_bytes === undefined ? "" : bytes(total_bytes);
  const room = canvas.columns - 1;
  const barRoom = Math.min(barColumns, room - `  ${name}    999 kB of 999 kB`.length);
  if (done_bytes === undefined || total_bytes === undefined || isDone(progress) || barRoom < 6) {
    const size = done_bytes === undefined || isDone(progress) ? total : `${bytes(done_bytes)} of ${total}`;
    return `  ${name}  ${oneLine(message).padEnd(Math.max(0, barRoom))}  ${size.padStart(7)}`.trimEnd().slice(0, room);
  }
  return `  ${name}  ${bar(done_bytes / total_bytes, barRoom, canvas)}  ${bytes(done_bytes).padStart(7)} of ${total}`;
}
