import type { ClientHttp2Stream } from "node:http2";
import { Readable } from "node:stream";

export interface BodyOptions {
  /** What the answer said that it would be, in bytes. */
  readonly length: number | undefined;
  /**
   * Whether the answer is over only when its stream is: an end may be what a reset looks like. Without it, an end that nothing speaks
   * against is one, also while the request is still being sent.
   */
  readonly untilClosed: boolean;
  /** How long the agent may say nothing while somebody reads, in milliseconds; as long as it likes if missing. */
  readonly silenceMs?: number;
  /** What to fail with if the answer breaks off or isn't as long as it said. */
  readonly fail: (cause: unknown) => Error;
}

/**
 * The body of an agent's answer as a stream of its own. It ends only if the answer was complete: an HTTP/2 stream that is reset may
 * otherwise look as if it had ended. Destroying it resets the answer, whether or not something is on its way.
 */
export class Body extends Readable {
  readonly #stream: ClientHttp2Stream;
  readonly #options: BodyOptions;
  #seen = 0;
  #ended = false;
  #silence: NodeJS.Timeout | undefined;

  constructor(stream: ClientHttp2Stream, options: BodyOptions) {
    super({ highWaterMark: 256 * 1024 });
    this.#stream = stream;
    this.#options = options;
    stream.on("data", (chunk: Buffer) => {
      this.#seen += chunk.length;
      this.#silence?.refresh();
      if (this.push(chunk)) return;
      stream.pause();
      this.#hush();
    });
    stream.once("end", () => this.#end());
    stream.once("close", () => this.#close());
    // An answer without a body that came at once, on a connection that is no plain socket: its events may be over.
    if (stream.readableEnded) this.#end();
    if (stream.destroyed) process.nextTick(() => this.#close());
    stream.pause();
  }

  override _read(): void {
    this.#stream.resume();
    const { silenceMs, fail } = this.#options;
    if (silenceMs === undefined || this.#ended) return;
    this.#silence ??= setTimeout(() => {
      this.destroy(fail(new Error(`the agent has sent nothing for ${silenceMs / 1000} s`)));
    }, silenceMs).unref();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#hush();
    this.#stream.destroy();
    callback(error);
  }

  /** Nobody waits for the agent. */
  #hush(): void {
    clearTimeout(this.#silence);
    this.#silence = undefined;
  }

  #end(): void {
    this.#ended = true;
    this.#hush();
    if (!this.#options.untilClosed && !this.#stream.rstCode) this.push(null);
  }

  #close(): void {
    const { length, fail } = this.#options;
    if (this.readableEnded) return;
    if (!this.#ended || this.#stream.rstCode !== 0) this.destroy(fail(this.#stream.errored));
    else if (length !== undefined && this.#seen !== length) {
      this.destroy(fail(new Error(`${this.#seen} bytes came instead of ${length}`)));
    } else this.push(null);
  }
}
