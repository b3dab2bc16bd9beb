import type { Readable } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import type { StdinOptions } from "@boxrun/core";
import { Signal } from "./signal.ts";

/** As much as a Linux pipe holds. */
const pipeBytes = 64 * 1024;

/** A program's standard input: a bounded pipe. */
export class Stdin implements AsyncIterable<Uint8Array> {
  readonly #execId: string;
  readonly #onData: (data: Uint8Array) => Uint8Array;
  #queue: Uint8Array[] = [];
  #bytes = 0;
  /** Of all that was ever written. */
  #taken = 0;
  #ended: boolean;
  #closed = false;
  readonly #writers = new Set<() => void>();
  readonly #changed = new Signal();

  /** `onData` sees every piece first and says what is left of it: a terminal takes Ctrl-C out. */
  constructor(execId: string, open: boolean, onData: (data: Uint8Array) => Uint8Array) {
    this.#execId = execId;
    this.#ended = !open;
    this.#onData = onData;
  }

  async write(content: Readable, options: StdinOptions): Promise<void> {
    // A source that has nothing to say must not keep the writer when it is given up, or the program ends.
    const end = () => {
      content.destroy(new Error("given up"));
      this.#changed.raise();
    };
    options.signal.addEventListener("abort", end);
    this.#writers.add(end);
    try {
      const { offset = this.#taken } = options;
      if (options.offset === undefined) this.#requireOpen(options.signal);
      if (offset > this.#taken) {
        throw new BoxRunError("VALIDATION_ERROR", `The input goes on at byte ${this.#taken}, not at ${offset}`);
      }
      let skip = this.#taken - offset;
      for await (const piece of content) {
        const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
        const fresh = bytes.subarray(Math.min(skip, bytes.length));
        skip -= bytes.length - fresh.length;
        if (fresh.length === 0) continue;
        const data = this.#onData(fresh);
        this.#taken += fresh.length - data.length;
        for (let at = 0; at < data.length; at += pipeBytes) {
          await this.#push(data.subarray(at, at + pipeBytes), options.signal);
        }
      }
      if (options.eof && skip > 0) {
        throw new BoxRunError("VALIDATION_ERROR", `The input can't end at byte ${this.#taken - skip}`);
      }
      if (options.eof) {
        this.#ended = true;
        this.#changed.raise();
      }
    } catch (error) {
      if (error instanceof BoxRunError && error.code === "VALIDATION_ERROR") throw error;
      this.#requireOpen(options.signal);
      throw new BoxRunError("RUNTIME_ERROR", `What is written to ${this.#execId} broke off`, { cause: error });
    } finally {
      this.#writers.delete(end);
      options.signal.removeEventListener("abort", end);
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const data = this.#queue.shift();
      if (data !== undefined) {
        this.#bytes -= data.length;
        this.#changed.raise();
        yield data;
      } else if (this.#ended || this.#closed) return;
      else await this.#changed.next();
    }
  }

  /** The program has ended: writers are told. */
  close(): void {
    this.#closed = true;
    for (const end of this.#writers) end();
    this.#changed.raise();
  }

  async #push(data: Uint8Array, signal: AbortSignal): Promise<void> {
    this.#requireOpen(signal);
    while (this.#bytes > 0 && this.#bytes + data.length > pipeBytes) {
      await this.#changed.next();
      this.#requireOpen(signal);
    }
    this.#queue.push(data);
    this.#bytes += data.length;
    this.#taken += data.length;
    this.#changed.raise();
  }

  #requireOpen(signal: AbortSignal): void {
    if (signal.aborted) throw new BoxRunError("CANCELED", "The write to standard input was given up");
    if (this.#closed || this.#ended) {
      throw new BoxRunError("EXEC_ALREADY_FINISHED", `Standard input of ${this.#execId} is closed`);
    }
  }
}
