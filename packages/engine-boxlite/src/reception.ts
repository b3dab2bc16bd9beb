import { timingSafeEqual } from "node:crypto";
import { rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { AgentAddress } from "@boxrun/guest-agent";
import { EagerStream } from "./eager-stream.ts";

export const secretSize = 32;
/** Said to the agent: libkrun connects a call also where nobody listens, and then never ends it. */
const welcome = Buffer.of(0x06);

/** How long a caller may take to say the secret. */
const introductionMs = 5000;
/** Strangers that may be waiting at once: any program in the box can call. The agent says the secret at once. */
const maxStrangers = 16;

/**
 * Takes the calls of one box's agent: in a BoxLite box it is the guest that connects. A caller is the agent if it begins with the secret of
 * this life of the box. The agent has one call at a time: a later one ends the one before, which libkrun may not have said is over.
 */
export class Reception implements AgentAddress {
  readonly name: string;
  readonly #server: Server;
  readonly #secret: Buffer;
  readonly #strangers = new Set<Socket>();
  /** The agent's last call. */
  #call: Socket | undefined;
  /** It, while nobody has asked for it. */
  #waiting: Socket | undefined;
  #asking: ((socket: Socket) => void) | undefined;

  private constructor(path: string, secret: Buffer) {
    this.name = path;
    this.#secret = secret;
    this.#server = createServer((socket) => this.#meet(socket));
  }

  /** Takes the path over from whoever listened there before. */
  static async open(path: string, secret: Buffer): Promise<Reception> {
    const reception = new Reception(path, secret);
    await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      reception.#server.once("error", reject);
      reception.#server.listen(path, resolve);
    });
    reception.#server.on("error", () => undefined);
    // A box that runs is no reason for the process to stay; who waits for a call is (see `connect`).
    reception.#server.unref();
    return reception;
  }

  async connect(signal: AbortSignal): Promise<Duplex> {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined && !waiting.destroyed) return new EagerStream(waiting);
    return new EagerStream(await this.#nextCaller(signal));
  }

  close(): void {
    this.#server.close();
    this.#waiting?.destroy();
    for (const stranger of this.#strangers) stranger.destroy();
  }

  async #nextCaller(signal: AbortSignal): Promise<Socket> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const giveUp = () => reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    this.#asking = resolve;
    this.#server.ref();
    try {
      return await promise;
    } finally {
      if (this.#asking === resolve) this.#asking = undefined;
      if (this.#asking === undefined) this.#server.unref();
      signal.removeEventListener("abort", giveUp);
    }
  }

  #meet(socket: Socket): void {
    if (this.#strangers.size >= maxStrangers) {
      // The one that has kept us waiting longest.
      for (const stranger of this.#strangers) {
        stranger.destroy();
        break;
      }
    }
    this.#strangers.add(socket);
    socket.on("error", () => undefined);
    const timer = setTimeout(() => socket.destroy(), introductionMs);
    const leave = () => {
      clearTimeout(timer);
      this.#strangers.delete(socket);
    };
    const onReadable = () => {
      const said: Buffer | null = socket.read(secretSize);
      if (said === null) return;
      socket.off("readable", onReadable).off("close", leave);
      leave();
      if (said.length === secretSize && timingSafeEqual(said, this.#secret)) this.#admit(socket);
      else socket.destroy();
    };
    socket.once("close", leave).on("readable", onReadable);
  }

  #admit(socket: Socket): void {
    socket.write(welcome);
    this.#call?.destroy();
    this.#call = socket;
    const asking = this.#asking;
    this.#asking = undefined;
    if (asking !== undefined) asking(socket);
    else this.#waiting = socket;
  }
}
