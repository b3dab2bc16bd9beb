import { Duplex } from "node:stream";
import type { Turns } from "@boxrun/core";
import { ConnectionLost } from "../errors.ts";
import { turns } from "../turns.ts";
import { Exchange } from "./exchange.ts";
import { FrameWalker } from "./frame-walker.ts";
import { Rate } from "./rate.ts";

const nothing: Buffer = Buffer.alloc(0);

/** What HTTP/2's client says first. */
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** A frame counts as one, and each of these bytes of its payload as one more. */
const unitBytes = 16 * 1024;

/** A piece of the stream that is smaller counts as a frame, however little of one it is: to be handed a piece costs as much. */
const smallPieceBytes = 4096;

/**
 * What one box's agent may say: beyond that, its connection is read more slowly. A frame costs some 10 µs until its bytes are where they belong,
 * so that this is a fifth of a core. Bulk comes in frames of up to 256 KiB, at 300 MiB/s and more (docs/guest-protocol.md has the measurement).
 */
const unitsAtOnce = 20_000;
const unitsPerSecond = 20_000;

export interface GateOptions {
  /** In bytes: what our settings say. */
  readonly maxFrameSize: number;
  /** Called once, when the gate has closed: with a WireViolation, or with a ConnectionLost where the agent has ended the connection. */
  readonly onCut: (reason: Error) => void;
  readonly turns?: Turns;
  readonly rate?: Rate;
}

/**
 * Stands between the agent's socket and node:http2, which must never see a frame that an honest agent would not send: some of them leave a
 * session that is neither closed nor of any use. It closes for good at the first one. It also sees to it that a box that says much slows down nobody but itself.
 */
export class Gate extends Duplex {
  readonly #socket: Duplex;
  readonly #onCut: (reason: Error) => void;
  readonly #turns: Turns;
  readonly #rate: Rate;
  readonly #incoming: FrameWalker;
  readonly #outgoing: FrameWalker;
  #prefaceLeft = preface.length;
  /** Waits for its turn, or for the rate. */
  #waiting = false;
  /** The agent has hung up, and what it said before is still to be heard. */
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Duplex, options: GateOptions) {
    super({ allowHalfOpen: false, readableHighWaterMark: 256 * 1024 });
    this.#socket = socket;
    this.#onCut = options.onCut;
    this.#turns = options.turns ?? turns;
    this.#rate = options.rate ?? new Rate(unitsAtOnce, unitsPerSecond);
    const exchange = new Exchange({
      maxFrameSize: options.maxFrameSize,
      onGoAway: (code) => {
        throw new ConnectionLost(`the agent has ended the connection (code ${code})`);
      },
      mayGoOn: (length) => this.#mayGoOn(1 + Math.floor(length / unitBytes)),
    });
    this.#incoming = new FrameWalker(exchange.incoming);
    this.#outgoing = new FrameWalker(exchange.outgoing);
    // An error before anybody listens must not end the server.
    this.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      this.#judge(chunk);
      this.#charge(chunk);
    });
    socket.once("end", () => this.#hungUp());
    socket.once("error", (error) => this.#cut(new ConnectionLost(error.message, { cause: error })));
    socket.once("close", () => this.#cut(new ConnectionLost("the connection to the agent ended")));
    socket.pause();
  }

  override _read(): void {
    if (this.#ended) setImmediate(() => this.#hungUp());
    else if (!this.#waiting) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.#lookAt(chunk)) this.#socket.write(chunk, callback);
    else callback();
  }

  override _writev(chunks: { chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    if (!chunks.every(({ chunk }) => this.#lookAt(chunk))) {
      callback();
      return;
    }
    this.#socket.cork();
    chunks.forEach(({ chunk }, index) => {
      this.#socket.write(chunk, index === chunks.length - 1 ? callback : undefined);
    });
    this.#socket.uncork();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#socket.destroy();
    callback(error);
  }

  #judge(chunk: Buffer): void {
    if (this.destroyed) return;
    try {
      const { passed, stopped } = this.#incoming.walk(chunk);
      if (stopped) this.#wait();
      // Where there is no room, `_read` says when there is.
      if (passed.length > 0 && !this.push(passed)) this.#socket.pause();
      else if (!stopped && this.#socket.isPaused()) this.#socket.resume();
    } catch (error) {
      this.#cut(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The bytes of a frame that come one by one are read no faster than as many frames. */
  #charge(piece: Buffer): void {
    if (piece.length >= smallPieceBytes || this.destroyed || this.#waiting) return;
    if (!this.#mayGoOn(1)) this.#wait();
  }

  #mayGoOn(units: number): boolean {
    return this.#turns.take(units) && this.#rate.take(units);
  }

  #wait(): void {
    this.#socket.pause();
    this.#waiting = true;
    const goOn = () => {
      this.#waiting = false;
      this.#judge(nothing);
      if (this.#ended) this.#hungUp();
    };
    const { waitMs } = this.#rate;
    if (waitMs > 0) this.#timer = setTimeout(goOn, waitMs).unref();
    else this.#turns.later(goOn);
  }

  #hungUp(): void {
    this.#ended = this.#waiting || this.readableLength > 0;
    if (!this.#ended) this.#cut(new ConnectionLost("the agent hung up"));
  }

  /** What we send: it says what may be answered. `false` if it says that the connection is broken. */
  #lookAt(chunk: Buffer): boolean {
    const skipped = Math.min(this.#prefaceLeft, chunk.length);
    this.#prefaceLeft -= skipped;
    try {
      this.#outgoing.walk(skipped === 0 ? chunk : chunk.subarray(skipped));
      return true;
    } catch (error) {
      this.#cut(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
  }

  #cut(reason: Error): void {
    if (this.destroyed) return;
    this.destroy();
    this.#onCut(reason);
  }
}
