import { timingSafeEqual } from "node:crypto";
import { rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { AgentAddress } from "@boxrun/guest-agent";
import { EagerStream } from "./eager-stream.ts";

export const secretSize = 32;
/** Said to the agent: libkrun connects a call also where nobody listens, and then never ends it. */
const welcome = Buffer.of(0x06);
/** Said to an agent that is to be another one: the other's length follows as u32, big-endian, and its program. */
const succession = Buffer.of(0x07);

/** How long a caller may take to say the secret. */
const introductionMs = 5000;
/** How long an agent may take to read its successor; it gives up itself after as long. */
const successionMs = 30_000;
/** Strangers that may be waiting at once: any program in the box can call. The agent says the secret at once. */
const maxStrangers = 16;

interface Expected {
  /** What the agent says first; of a VM that was just started it is not known. */
  readonly secret?: Buffer;
  /** The agent that is to take the place of the one that calls. */
  readonly successor?: Buffer | undefined;
}

/**
 * Takes the calls of one box's agent: in a BoxLite box it is the guest that connects. The agent has made up a secret, with which each of its
 * calls begins. The first caller is the agent, because nothing else runs in a box that is not set up, and later ones are if they say the
 * same. It has one call at a time: a later one ends the one before, which libkrun may not have said is over.
 */
export class Reception implements AgentAddress {
  readonly name: string;
  readonly #server: Server;
  #secret: Buffer | undefined;
  #successor: Buffer | undefined;
  /** The secret of the agent that was sent the successor. */
  #predecessor: Buffer | undefined;
  /** Is being sent it. */
  #succeeding: Socket | undefined;
  readonly #strangers = new Set<Socket>();
  /** The agent's last call. */
  #call: Socket | undefined;
  /** It, while nobody has asked for it. */
  #waiting: Socket | undefined;
  #asking: ((socket: Socket) => void) | undefined;

  private constructor(path: string, { secret, successor }: Expected) {
    this.name = path;
    this.#secret = secret;
    this.#successor = successor;
    this.#server = createServer((socket) => this.#meet(socket));
  }

  /** Takes the path over from whoever listened there before. */
  static async open(path: string, expected: Expected): Promise<Reception> {
    const reception = new Reception(path, expected);
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

  /** The agent's, once it has called. */
  get secret(): Buffer | undefined {
    return this.#secret;
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
    this.#succeeding?.destroy();
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
      if (said.length !== secretSize) socket.destroy();
      else this.#answer(socket, Buffer.from(said));
    };
    socket.once("close", leave).on("readable", onReadable);
  }

  #answer(socket: Socket, said: Buffer): void {
    if (this.#successor !== undefined && timingSafeEqual(said, this.#predecessor ?? said)) {
      this.#predecessor = said;
      this.#send(socket, this.#successor);
      return;
    }
    this.#successor = undefined;
    this.#secret ??= said;
    if (timingSafeEqual(said, this.#secret)) this.#admit(socket);
    else socket.destroy();
  }

  /** One at a time, and not for ever: a program in the box may know the old agent's secret, and call with it again and again. */
  #send(socket: Socket, successor: Buffer): void {
    this.#succeeding?.destroy();
    this.#succeeding = socket;
    const timer = setTimeout(() => socket.destroy(), successionMs).unref();
    socket.once("close", () => clearTimeout(timer));
    const head = Buffer.alloc(4);
    head.writeUInt32BE(successor.length);
    socket.cork();
    for (const part of [succession, head]) socket.write(part);
    socket.end(successor);
    socket.uncork();
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
