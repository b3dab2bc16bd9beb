import { BoxRunError, type TerminalServerMessage, terminalClientMessageSchema } from "@boxrun/contract";
import type { AttachedTerminal } from "@boxrun/core";
import type { WebSocket } from "ws";
import { ClientSocket, closeCodes, closeMs, parseFrame } from "./client-socket.ts";
import type { Lifetime } from "./lifetime.ts";
import { validate } from "./validation.ts";

export interface TerminalSocketOptions {
  readonly lifetime: Lifetime;
  /** A client from which nothing came between two of these, not even a pong, is dead. */
  readonly heartbeatMs: number;
  /** What the client is told of whatever was thrown. */
  readonly toApiError: (error: unknown) => BoxRunError;
}

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
  readonly #socket: ClientSocket;
  readonly #options: TerminalSocketOptions;
  #terminal: AttachedTerminal | undefined;
  /** Why the server ends it, before the terminal does. */
  #ending: { readonly error: BoxRunError; readonly closeCode: number } | undefined;
  #cutOff: NodeJS.Timeout | undefined;

  constructor(socket: WebSocket, options: TerminalSocketOptions) {
    this.#options = options;
    this.#socket = new ClientSocket(socket, options.heartbeatMs, {
      onBytes: async (bytes) => {
        if (this.#ending === undefined) await this.#terminal?.write(bytes);
      },
      onText: (text) => this.#message(text),
      onFault: (error, closeCode) => this.#end(error, closeCode),
      onGone: () => this.#terminal?.leave(),
    });
  }

  async run(open: () => Promise<AttachedTerminal>): Promise<void> {
    using socket = this.#socket;
    const { lifetime } = this.#options;
    const stop = () => this.#end(new BoxRunError("CANCELED", "The server is shutting down"), closeCodes.goingAway);
    lifetime.ending.addEventListener("abort", stop);
    try {
      // What is typed before the shell is there waits in the socket.
      this.#terminal = await open();
      if (lifetime.ending.aborted) stop();
      if (!socket.isOpen || this.#ending !== undefined) this.#terminal.leave();
      socket.listen();
      await this.#pass(this.#terminal);
      await this.#finish(this.#terminal);
    } catch (error) {
      this.#end(this.#options.toApiError(error), closeCodes.failed);
      await this.#sayEnd();
    } finally {
      lifetime.ending.removeEventListener("abort", stop);
      this.#terminal?.leave();
      await socket.close(this.#ending?.closeCode ?? closeCodes.done);
      clearTimeout(this.#cutOff);
    }
  }

  /** Hands the terminal's output to the client, no faster than it takes it. */
  async #pass(terminal: AttachedTerminal): Promise<void> {
    // A client that takes nothing any more must not hold up the end of a terminal that another client has taken over. After an
    // exit it gets the time that it needs for what the program wrote last.
    void terminal.end.then(({ kind }) => {
      if (kind === "error") this.#cutOff = setTimeout(() => this.#socket.terminate(), closeMs);
    });
    for await (const data of terminal.output) {
      await this.#socket.sendBytes(data);
      if (!this.#socket.isOpen) terminal.leave();
    }
  }

  async #finish(terminal: AttachedTerminal): Promise<void> {
    const end = await terminal.end;
    if (this.#ending === undefined && end.kind === "exit") {
      await this.#socket.sendMessage({ type: "exit", code: end.code } satisfies TerminalServerMessage);
      return;
    }
    if (end.kind === "error") this.#end(end.error, closeCodes.failed);
    await this.#sayEnd();
  }

  #message(text: string): void {
    if (this.#ending !== undefined) return;
    try {
      const { cols, rows } = validate(terminalClientMessageSchema, parseFrame(text, "the terminal's bytes"), "frame");
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
    if (this.#ending === undefined) return;
    const message: TerminalServerMessage = { type: "error", ...this.#ending.error.toJSON() };
    await this.#socket.sendMessage(message);
  }
}
