import { BoxRunError, maxTerminalFrameBytes, toBoxRunError } from "@boxrun/contract";
import { type RawData, WebSocket } from "ws";

/** What of a client's input may wait for the box before the socket is paused, and how little before it goes on, in bytes. */
const highWaterBytes = 256 * 1024;
const lowWaterBytes = 64 * 1024;

/** What a client gets to take the last frame and answer a good-bye. */
export const closeMs = 2_000;

export const closeCodes = { done: 1000, goingAway: 1001, malformed: 1008, tooBig: 1009, failed: 1011 } as const;

interface Hooks {
  /** Resolves when the box has taken them: the client is read no faster than that. */
  readonly onBytes: (bytes: Buffer) => Promise<void>;
  readonly onText: (text: string) => void;
  /** Why the client is not to be listened to any more: what it sent, or could not be sent on. */
  readonly onFault: (error: BoxRunError, closeCode: number) => void;
  /** The connection is gone. */
  readonly onGone: () => void;
}

/** A client's WebSocket, as long as it carries bytes from and to a box: its pace, its heartbeat and its good-bye. */
export class ClientSocket implements Disposable {
  readonly #socket: WebSocket;
  readonly #hooks: Hooks;
  readonly #closed = Promise.withResolvers<void>();
  readonly #heartbeat: NodeJS.Timeout;
  #pendingBytes = 0;
  #alive = true;

  /** What the client sends waits until `listen`. `heartbeatMs`: one from which nothing came between two of these, not even a pong, is dead. */
  constructor(socket: WebSocket, heartbeatMs: number, hooks: Hooks) {
    this.#socket = socket;
    this.#hooks = hooks;
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    const seen = () => {
      this.#alive = true;
    };
    socket
      .on("message", (data, isBinary) => {
        seen();
        this.#take(data, isBinary);
      })
      .on("ping", seen)
      .on("pong", seen)
      // A broken frame: the library has said so to the client, and closes.
      .on("error", () => undefined)
      .on("close", () => {
        hooks.onGone();
        this.#closed.resolve();
      });
    socket.pause();
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  listen(): void {
    this.#socket.resume();
  }

  /** Resolves when they are on their way, or the connection is gone. */
  sendBytes(data: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#socket.send(data, { binary: true }, () => resolve()));
  }

  sendMessage(message: object): Promise<void> {
    return new Promise((resolve) => this.#socket.send(JSON.stringify(message), () => resolve()));
  }

  /** Says good-bye; resolves when the connection is closed. */
  async close(code: number): Promise<void> {
    const timer = setTimeout(() => this.#socket.terminate(), closeMs);
    this.#socket.resume();
    this.#socket.close(code);
    if (this.#socket.readyState === WebSocket.CLOSED) this.#closed.resolve();
    await this.#closed.promise;
    clearTimeout(timer);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#heartbeat);
  }

  #take(data: RawData, isBinary: boolean): void {
    const bytes = Array.isArray(data)
      ? Buffer.concat(data)
      : Buffer.from(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
    if (bytes.length > maxTerminalFrameBytes) {
      const message = `A frame of ${bytes.length} bytes; at most ${maxTerminalFrameBytes} are taken in one`;
      this.#hooks.onFault(new BoxRunError("PAYLOAD_TOO_LARGE", message), closeCodes.tooBig);
    } else if (isBinary) this.#passOn(bytes);
    else this.#hooks.onText(bytes.toString());
  }

  #passOn(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes > highWaterBytes) this.#socket.pause();
    const taken = () => {
      this.#pendingBytes -= bytes.length;
      if (this.#socket.isPaused && this.#pendingBytes < lowWaterBytes) this.#socket.resume();
    };
    this.#hooks.onBytes(bytes).then(taken, (error: unknown) => {
      taken();
      this.#hooks.onFault(toBoxRunError(error, "RUNTIME_ERROR"), closeCodes.failed);
    });
  }

  #beat(): void {
    // Of a client that is not read from, nothing can come.
    if (!this.isOpen || this.#socket.isPaused) return;
    if (!this.#alive) {
      this.#socket.terminate();
      return;
    }
    this.#alive = false;
    this.#socket.ping();
  }
}

/** A text frame. `binary`: what goes into binary frames, for the message of one that is no JSON. */
export function parseFrame(text: string, binary: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = `frame: a text frame must be JSON; ${binary} go into binary frames`;
    throw new BoxRunError("VALIDATION_ERROR", message, { cause: error });
  }
}
