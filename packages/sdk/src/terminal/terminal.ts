import type { TerminalClientMessage, TerminalSize } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import { deferred } from "../deferred.ts";
import { ClientError, knownError, parseJson } from "../errors.ts";
import type { Contract } from "../shape.ts";
import type { TerminalSocket, TerminalSocketEvents } from "./socket.ts";

/** What may wait for the reader before the socket is paused, and how little before it goes on, in bytes. */
const highWaterBytes = 256 * 1024;
const lowWaterBytes = 64 * 1024;

/** One frame of input: as much as the server passes on in one go. */
const frameBytes = 64 * 1024;

/**
 * A terminal attached to a shell in a box. Read `output`, also if only the exit is wanted: what is not read holds up the program, and
 * its exit comes behind it.
 */
export class Terminal implements AsyncDisposable {
  /**
   * The terminal's bytes, for one reader; ends when the terminal does, for whatever reason. A reader that pauses stops the
   * socket, and so in the end the program (but not in a browser, where what is not read gathers in memory).
   */
  readonly output: AsyncIterable<Uint8Array>;
  /**
   * How the shell ended. Rejects with a BoxRunError if the server says that the terminal is over for another reason (CANCELED: another client
   * took over, or this one detached), and with a ClientError (CONNECTION_FAILED) if the connection is lost.
   */
  readonly exit: Promise<{ readonly code: number }>;
  readonly #address: string;
  readonly #contract: Contract;
  readonly #settle = deferred<{ readonly code: number }>();
  #socket: TerminalSocket | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #paused = false;
  /** Why nothing can be written any more. */
  #over: Error | undefined;
  #wakeReader: (() => void) | undefined;

  private constructor(address: string, contract: Contract) {
    this.#address = address;
    this.#contract = contract;
    this.output = this.#read();
    this.exit = this.#settle.promise;
    // Whoever only reads the output must not end the process by that.
    this.exit.catch(() => undefined);
  }

  /** `address`: for messages. */
  static async open(
    address: string,
    contract: Contract,
    openSocket: (events: TerminalSocketEvents) => Promise<TerminalSocket>,
  ): Promise<Terminal> {
    const terminal = new Terminal(address, contract);
    const socket = await openSocket({
      onBytes: (data) => terminal.#push(data),
      onText: (text) => terminal.#message(text),
      onClose: (why) =>
        terminal.#end(new ClientError("CONNECTION_FAILED", `The connection to ${address} is lost: ${why}`)),
    });
    terminal.#socket = socket;
    if (terminal.#paused) socket.pause();
    if (terminal.#over !== undefined) void socket.close();
    return terminal;
  }

  /** Types: resolves when there is room for more. Rejects once the terminal is over. */
  async write(data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let at = 0; at < bytes.length; at += frameBytes) {
      if (this.#over !== undefined) throw this.#over;
      try {
        await this.#socket?.sendBytes(bytes.subarray(at, at + frameBytes));
      } catch (error) {
        throw this.#over ?? this.#lost(error);
      }
    }
  }

  /** Tells the program how large the terminal is now. */
  resize(size: TerminalSize): void {
    if (this.#over !== undefined) return;
    const message: TerminalClientMessage = { type: "resize", cols: size.cols, rows: size.rows };
    this.#socket?.sendText(JSON.stringify(message));
  }

  /** Leaves: a session goes on, a shell without a name ends. Resolves when the connection is closed. Idempotent. */
  async detach(): Promise<void> {
    this.#end(new BoxRunError("CANCELED", "The terminal was detached"));
    await this.#socket?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.detach();
  }

  #push(data: Uint8Array): void {
    if (this.#over !== undefined) return;
    this.#waiting.push(data);
    this.#waitingBytes += data.length;
    if (this.#waitingBytes > highWaterBytes && !this.#paused) {
      this.#paused = true;
      this.#socket?.pause();
    }
    this.#wakeReader?.();
  }

  async *#read(): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const data = this.#waiting.shift();
      if (data !== undefined) {
        this.#waitingBytes -= data.length;
        if (this.#paused && this.#waitingBytes < lowWaterBytes) {
          this.#paused = false;
          this.#socket?.resume();
        }
        yield data;
      } else if (this.#over !== undefined) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
      }
    }
  }

  #message(text: string): void {
    const parsed = this.#contract.terminalServerMessageSchema.safeParse(parseJson(text));
    if (!parsed.success) {
      // A later server may say more; only what is no message at all is wrong.
      if (parseJson(text) !== undefined) return;
      this.#end(new ClientError("INVALID_ANSWER", `${this.#address} sent a text frame that is no message`));
      void this.#socket?.close();
      return;
    }
    const message = parsed.data;
    if (message.type === "error") this.#end(knownError(message));
    else {
      this.#settle.resolve({ code: message.code });
      this.#end(new BoxRunError("EXEC_ALREADY_FINISHED", `The shell has ended with code ${message.code}`));
    }
  }

  /** The first reason counts. */
  #end(reason: Error): void {
    if (this.#over !== undefined) return;
    this.#over = reason;
    this.#settle.reject(reason);
    this.#wakeReader?.();
  }

  #lost(error: unknown): ClientError {
    const why = error instanceof Error ? error.message : String(error);
    return new ClientError("CONNECTION_FAILED", `The connection to ${this.#address} is lost: ${why}`, { cause: error });
  }
}
