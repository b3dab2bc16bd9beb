import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/**
 * More than an agent may send unasked: packages/guest-agent opens a connection's HTTP/2 window to 16 MiB. What goes beyond is an agent
 * that breaks the protocol.
 */
const limitBytes = 32 * 1024 * 1024;

/**
 * A socket that is always read, whether or not its reader keeps up. Node's HTTP/2 stops reading while what it wrote has not been taken, and
 * the VM process of BoxLite 0.10.0 takes nothing from a socket into which it can't write: with a plain socket both sides wait for ever.
 */
export class EagerStream extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    // An end of one direction is the end of both: nobody half-closes an HTTP/2 connection.
    super({ allowHalfOpen: false });
    this.#socket = socket;
    // An error before anybody listens must not end the server; whoever uses the stream then finds it destroyed.
    this.on("error", () => undefined);
    socket.on("data", (chunk) => {
      this.push(chunk);
      if (this.readableLength > limitBytes) this.destroy(new Error("the box's agent sends more than it may"));
    });
    socket.once("end", () => this.push(null));
    socket.once("error", (error) => this.destroy(error));
    socket.once("close", () => this.destroy());
  }

  override _read(): void {
    // What comes is pushed when it comes.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#socket.write(chunk, callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this.#socket.cork();
    chunks.forEach(({ chunk }, index) => {
      this.#socket.write(chunk, index === chunks.length - 1 ? callback : undefined);
    });
    this.#socket.uncork();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.end(callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#socket.destroy();
    callback(error);
  }
}
