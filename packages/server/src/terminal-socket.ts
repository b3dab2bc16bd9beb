import {
  BoxRunError,
  maxTerminalFrameBytes,
  type TerminalServerMessage,
  terminalClientMessageSchema,
  toBoxRunError,
} from "@boxrun/contract";
import type { AttachedTerminal } from "@boxrun/core";
import { type RawData, WebSocket } from "ws";
import type { Lifetime } from "./lifetime.ts";
import { validate } from "./validation.ts";

export interface TerminalSocketOptions {
  readonly lifetime: Lifetime;
  /** A client from which nothing came between two of these, not even a pong, is dead. */
  readonly heartbeatMs: number;
  /** What the client is told of whatever was thrown. */
  readonly toApiError: (error: unknown) => BoxRunError;
}

/** What of a client's input may wait for the box before the socket is paused, and how little before it goes on, in bytes. */
const highWaterBytes = 256 * 1024;
const lowWaterBytes = 64 * 1024;

/** What a client gets to take the last frame and answer a good-bye. */
const closeMs = 2_000;

const closeCodes = { exit: 1000, goingAway: 1001, malformed: 1008, tooBig: 1009, failed: 1011 } as const;

/** Connects a client's WebSocket with a terminal, until one of them ends; resolves when the socket is closed. Never rejects. */
export async function serveTerminal(
  socket: WebSocket,
  open: () => Promise<AttachedTerminal>,
  options: TerminalSocketOptions,
): Promise<void> {
  const connection = new TerminalConnection(socket, options);
  await connection.run(open);
}

class TerminalConnection {
  readonly #socket: WebSocket;
  readonly #options: TerminalSocketOptions;
  readonly #closed = Promise.withResolvers<void>();
  #terminal: AttachedTerminal | undefined;
  /** Why the server ends it, before the terminal does. */
  #ending: { readonly error: BoxRunError; readonly closeCode: number } | undefined;
  #cutOff: NodeJS.Timeout | undefined;
  #pendingBytes = 0;
  #alive = true;

  constructor(socket: WebSocket, options: TerminalSocketOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  async run(open: () => Promise<AttachedTerminal>): Promise<void> {
    const { lifetime, heartbeatMs } = this.#options;
    const stop = () => this.#end(new BoxRunError("CANCELED", "The server is shutting down"), closeCodes.goingAway);
    const heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    lifetime.ending.addEventListener("abort", stop);
    this.#listen();
    // What is typed before the shell is there waits in the socket.
    this.#socket.pause();
    try {
      this.#terminal = await open();
      if (lifetime.ending.aborted) stop();
      if (this.#socket.readyState !== WebSocket.OPEN || this.#ending !== undefined) this.#terminal.leave();
      this.#socket.resume();
      await this.#pass(this.#terminal);
      await this.#finish(this.#terminal);
    } catch (error) {
      this.#end(this.#options.toApiError(error), closeCodes.failed);
      await this.#sayEnd();
    } finally {
      lifetime.ending.removeEventListener("abort", stop);
      this.#terminal?.leave();
      await this.#close();
      clearTimeout(this.#cutOff);
      clearInterval(heartbeat);
    }
  }

  #listen(): void {
    const seen = () => {
      this.#alive = true;
    };
    this.#socket
      .on("message", (data, isBinary) => {
        seen();
        this.#take(data, isBinary);
      })
      .on("ping", seen)
      .on("pong", seen)
      // A broken frame: the library has said so to the client, and closes.
      .on("error", () => undefined)
      .on("close", () => {
        this.#terminal?.leave();
        this.#closed.resolve();
      });
  }

  /** Hands the terminal's output to the client, no faster than it takes it. */
  async #pass(terminal: AttachedTerminal): Promise<void> {
    // A client that takes nothing any more must not hold up the end of a terminal that another client has taken over. After an
    // exit it gets the time that it needs for what the program wrote last.
    void terminal.end.then(({ kind }) => {
      if (kind === "error") this.#cutOff = setTimeout(() => this.#socket.terminate(), closeMs);
    });
    for await (const data of terminal.output) {
      await new Promise<void>((resolve) => this.#socket.send(data, { binary: true }, () => resolve()));
      if (this.#socket.readyState !== WebSocket.OPEN) terminal.leave();
    }
  }

  async #finish(terminal: AttachedTerminal): Promise<void> {
    const end = await terminal.end;
    if (this.#ending === undefined && end.kind === "exit") {
      await this.#send({ type: "exit", code: end.code });
      return;
    }
    if (end.kind === "error") this.#end(end.error, closeCodes.failed);
    await this.#sayEnd();
  }

  #take(data: RawData, isBinary: boolean): void {
    if (this.#ending !== undefined) return;
    const bytes = Array.isArray(data)
      ? Buffer.concat(data)
      : Buffer.from(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
    if (bytes.length > maxTerminalFrameBytes) {
      const message = `A frame of ${bytes.length} bytes; at most ${maxTerminalFrameBytes} are taken in one`;
      this.#end(new BoxRunError("PAYLOAD_TOO_LARGE", message), closeCodes.tooBig);
    } else if (isBinary) this.#type(bytes);
    else this.#message(bytes.toString());
  }

  #type(bytes: Buffer): void {
    const terminal = this.#terminal;
    if (terminal === undefined || bytes.length === 0) return;
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes > highWaterBytes) this.#socket.pause();
    const taken = () => {
      this.#pendingBytes -= bytes.length;
      if (this.#socket.isPaused && this.#pendingBytes < lowWaterBytes) this.#socket.resume();
    };
    terminal.write(bytes).then(taken, (error: unknown) => {
      taken();
      this.#end(toBoxRunError(error, "RUNTIME_ERROR"), closeCodes.failed);
    });
  }

  #message(text: string): void {
    try {
      const { cols, rows } = validate(terminalClientMessageSchema, parseJson(text), "frame");
      this.#terminal?.resize({ cols, rows });
    } catch (error) {
      this.#end(this.#options.toApiError(error), closeCodes.malformed);
    }
  }

  /** The first reason counts; the client is told once the terminal has let go. */
  #end(error: BoxRunError, closeCode: number): void {
    this.#ending ??= { error, closeCode };
    this.#terminal?.leave();
  }

  async #sayEnd(): Promise<void> {
    if (this.#ending !== undefined) await this.#send({ type: "error", ...this.#ending.error.toJSON() });
  }

  #send(message: TerminalServerMessage): Promise<void> {
    return new Promise((resolve) => this.#socket.send(JSON.stringify(message), () => resolve()));
  }

  async #close(): Promise<void> {
    const timer = setTimeout(() => this.#socket.terminate(), closeMs);
    this.#socket.resume();
    this.#socket.close(this.#ending?.closeCode ?? closeCodes.exit);
    if (this.#socket.readyState === WebSocket.CLOSED) this.#closed.resolve();
    await this.#closed.promise;
    clearTimeout(timer);
  }

  #beat(): void {
    // Of a client that is not read from, nothing can come.
    if (this.#socket.readyState !== WebSocket.OPEN || this.#socket.isPaused) return;
    if (!this.#alive) {
      this.#socket.terminate();
      return;
    }
    this.#alive = false;
    this.#socket.ping();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new BoxRunError(
      "VALIDATION_ERROR",
      "frame: a text frame must be JSON; the terminal's bytes go into binary frames",
      {
        cause: error,
      },
    );
  }
}
