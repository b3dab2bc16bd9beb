import type { BoxRunError, TerminalSize } from "@boxrun/contract";
import { replay } from "./replay.ts";
import type { OutputRing } from "./ring.ts";

/** How a terminal came to its end. */
export type TerminalEnd =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "error"; readonly error: BoxRunError };

/** One client's terminal, as whoever connects it to a socket has it. */
export interface AttachedTerminal {
  /** The terminal's bytes, for one reader. Asking for more is what makes room: the program waits for the fastest reader. Ends with `end`. */
  readonly output: AsyncIterable<Uint8Array>;
  /** How it ended; what the program wrote last may still be to be read. Never rejects. */
  readonly end: Promise<TerminalEnd>;
  /** Resolves when the box has taken it. RUNTIME_ERROR if the box can't be asked. */
  write(data: Uint8Array): Promise<void>;
  resize(size: TerminalSize): void;
  /** The client is gone: a named session goes on, another shell ends. Idempotent. */
  leave(): void;
}

export interface ClientHost {
  readonly ring: OutputRing;
  readonly write: (data: Uint8Array) => Promise<void>;
  /** The client has made room. */
  readonly onRead: () => void;
  readonly onResize: () => void;
  readonly onLeave: (client: SessionClient) => void;
}

/** What is handed out in one go, in bytes. */
const pieceBytes = 64 * 1024;

export class SessionClient implements AttachedTerminal {
  readonly output: AsyncIterable<Uint8Array>;
  readonly end: Promise<TerminalEnd>;
  readonly #host: ClientHost;
  readonly #settle = Promise.withResolvers<TerminalEnd>();
  #size: TerminalSize;
  #position: number;
  #over: "drain" | "now" | undefined;
  #wake: (() => void) | undefined;

  /** `isNew`: the session was started for this client, which so misses nothing. */
  constructor(host: ClientHost, size: TerminalSize, isNew: boolean) {
    this.#host = host;
    this.#size = size;
    this.#position = host.ring.start;
    this.output = this.#read(isNew);
    this.end = this.#settle.promise;
  }

  get size(): TerminalSize {
    return this.#size;
  }

  /** Bytes that it has not read yet. */
  get lag(): number {
    return this.#host.ring.end - this.#position;
  }

  /** There is more to read. */
  wake(): void {
    this.#wake?.();
  }

  /** `drain`: what is in the ring is still handed out. The first end counts. */
  finish(end: TerminalEnd, how: "drain" | "now"): void {
    if (this.#over !== undefined) return;
    this.#over = how;
    this.#settle.resolve(end);
    this.wake();
  }

  write(data: Uint8Array): Promise<void> {
    return this.#over === undefined ? this.#host.write(data) : Promise.resolve();
  }

  resize(size: TerminalSize): void {
    if (this.#over !== undefined) return;
    this.#size = size;
    this.#host.onResize();
  }

  leave(): void {
    this.#host.onLeave(this);
  }

  async *#read(isNew: boolean): AsyncGenerator<Uint8Array, void, void> {
    const { ring, onRead } = this.#host;
    if (!isNew) yield* this.#replay(false);
    while (this.#over !== "now") {
      if (!ring.has(this.#position)) yield* this.#replay(true);
      const data = ring.read(this.#position, pieceBytes);
      if (data.length > 0) {
        yield data;
        this.#position += data.length;
        onRead();
      } else if (this.#over !== undefined) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Hands out the ring as it is now, and goes on behind it. */
  async *#replay(lost: boolean): AsyncGenerator<Uint8Array, void, void> {
    const { ring, onRead } = this.#host;
    const all = replay(ring, lost);
    const { end } = ring;
    for (let at = 0; at < all.length && this.#over !== "now"; at += pieceBytes) yield all.subarray(at, at + pieceBytes);
    this.#position = end;
    onRead();
  }
}
