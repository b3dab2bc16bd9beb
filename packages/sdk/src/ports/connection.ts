import type { PortClientMessage } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import { deferred } from "../deferred.ts";
import { ClientError, knownError, parseJson } from "../errors.ts";
import type { Contract } from "../shape.ts";
import type { TerminalSocket, TerminalSocketEvents } from "../terminal/socket.ts";

/** What may wait for the reader before the socket is paused, in bytes. */
const highWaterBytes = 256 * 1024;

/** One frame: as much as the server passes on in one go. */
const frameBytes = 64 * 1024;

/**
 * A TCP connection to a port of a box: a pair of streams, each of which ends by itself. Closing `writable` says that no more comes; `readable` ends
 * when the program says so. What breaks the connection is the error of both: a BoxRunError as the server tells it, or a ClientError (CONNECTION_FAILED).
 */
export class PortConnection implements AsyncDisposable {
  /** A reader that pauses stops the socket, and so in the end the program (but not in a browser, where what is not read gathers in memory). */
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** Resolves when both directions have ended; rejects with what broke the connection. */
  readonly closed: Promise<void>;
  readonly #address: string;
  readonly #contract: Contract;
  readonly #settle = deferred<void>();
  #socket: TerminalSocket | undefined;
  #reader: ReadableStreamDefaultController<Uint8Array> | undefined;
  #writer: WritableStreamDefaultController | undefined;
  #heardEnd = false;
  #saidEnd = false;
  #isOver = false;

  private constructor(address: string, contract: Contract) {
    this.#address = address;
    this.#contract = contract;
    this.closed = this.#settle.promise;
    // Whoever only reads must not end the process by that.
    this.closed.catch(() => undefined);
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#reader = controller;
        },
        pull: () => this.#socket?.resume(),
        cancel: () => this.close(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: highWaterBytes }),
    );
    this.writable = new WritableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#writer = controller;
        },
        write: (data) => this.#send(data),
        close: () => this.#sayEnd(),
        abort: () => this.close(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: highWaterBytes }),
    );
  }

  /** `address`: for messages. */
  static async open(
    address: string,
    contract: Contract,
    openSocket: (events: TerminalSocketEvents) => Promise<TerminalSocket>,
  ): Promise<PortConnection> {
    const connection = new PortConnection(address, contract);
    const socket = await openSocket({
      onBytes: (data) => connection.#receive(data),
      onText: (text) => connection.#message(text),
      onClose: (why) =>
        connection.#break(new ClientError("CONNECTION_FAILED", `The connection to ${address} is lost: ${why}`)),
    });
    connection.#socket = socket;
    if ((connection.#reader?.desiredSize ?? 0) <= 0) socket.pause();
    return connection;
  }

  /** Cuts it, whatever is still on its way; resolves when it is closed. Idempotent. */
  async close(): Promise<void> {
    this.#break(new BoxRunError("CANCELED", "The connection was closed"));
    await this.#socket?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #send(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += frameBytes) {
      await this.#socket?.sendBytes(data.subarray(at, at + frameBytes));
    }
  }

  #sayEnd(): void {
    this.#saidEnd = true;
    this.#socket?.sendText(JSON.stringify({ type: "end" } satisfies PortClientMessage));
    this.#finish();
  }

  #receive(data: Uint8Array): void {
    if (this.#isOver || this.#heardEnd || this.#reader === undefined || data.length === 0) return;
    this.#reader.enqueue(data);
    if ((this.#reader.desiredSize ?? 0) <= 0) this.#socket?.pause();
  }

  #message(text: string): void {
    const parsed = this.#contract.portServerMessageSchema.safeParse(parseJson(text));
    if (!parsed.success) {
      // A later server may say more; only what is no message at all is wrong.
      if (parseJson(text) !== undefined) return;
      this.#break(new ClientError("INVALID_ANSWER", `${this.#address} sent a text frame that is no message`));
      void this.#socket?.close();
    } else if (parsed.data.type === "error") this.#break(knownError(parsed.data));
    else if (!this.#heardEnd && !this.#isOver) {
      this.#heardEnd = true;
      this.#reader?.close();
      // What comes now is only the server's good-bye.
      this.#socket?.resume();
      this.#finish();
    }
  }

  #finish(): void {
    if (!this.#heardEnd || !this.#saidEnd || this.#isOver) return;
    this.#isOver = true;
    this.#settle.resolve();
  }

  /** The first reason counts. */
  #break(reason: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (!this.#heardEnd) this.#reader?.error(reason);
    this.#writer?.error(reason);
    this.#settle.reject(reason);
  }
}
