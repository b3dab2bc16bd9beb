import { type ExecEvent, logBytes } from "boxrun-sdk";
import { write } from "../output/streams.ts";
import { jsonText } from "../output/text.ts";

interface PrintOptions {
  readonly timestamps: boolean;
  /** An event a line. */
  readonly json: boolean;
}

const newline = 0x0a;

/** Gives out a program's output byte for byte, each stream to its own, with the time before each line if that is wanted. */
export class LogPrinter {
  readonly #options: PrintOptions;
  readonly #isInLine = { stdout: false, stderr: false };

  constructor(options: PrintOptions) {
    this.#options = options;
  }

  async print(event: ExecEvent): Promise<void> {
    if (this.#options.json) return write(process.stdout, `${jsonText(event)}\n`);
    if (event.event !== "log") return;
    const bytes = logBytes(event);
    const target = event.stream === "stdout" ? process.stdout : process.stderr;
    await write(target, this.#options.timestamps ? this.#stamped(event.stream, bytes, event.time) : bytes);
  }

  #stamped(stream: "stdout" | "stderr", bytes: Uint8Array, time: string | undefined): Uint8Array {
    // What an older server has stored has no time.
    const stamp = Buffer.from(`${time ?? "-"} `);
    const parts: Uint8Array[] = [];
    for (const line of linesOf(bytes)) {
      if (!this.#isInLine[stream]) parts.push(stamp);
      parts.push(line);
      this.#isInLine[stream] = line.at(-1) !== newline;
    }
    return Buffer.concat(parts);
  }
}

/** Each with the newline that ends it; the last may have none. */
export function* linesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let begin = 0; begin < bytes.length; ) {
    const end = bytes.indexOf(newline, begin);
    const next = end === -1 ? bytes.length : end + 1;
    yield bytes.subarray(begin, next);
    begin = next;
  }
}
