import { createServer, type Socket } from "node:net";
import { frameTypes } from "../../src/gate/frame-walker.ts";
import { exitFrame, fakeBootId, frame, greetingBytes } from "../support/fake-agent.ts";
import {
  contentLength,
  data,
  HostFrames,
  head,
  pingAck,
  type RawFrame,
  rawFrame,
  settings,
  settingsAck,
} from "./http2-frames.ts";
import type { Random } from "./random.ts";

const hello = JSON.stringify({ agent: "0.4.0", protocol: 2, boot_id: fakeBootId, setup: true });
const none = Buffer.alloc(0);

/** A guest that does its worst, chosen by `random`, on every connection anew; now and then it does what it should. */
export async function startHostileAgent(path: string, random: Random): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
    new HostileConnection(socket, random).begin();
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

class HostileConnection {
  readonly #socket: Socket;
  readonly #random: Random;
  /** How likely each thing that it says is wrong. */
  readonly #malice: number;
  readonly #frames = new HostFrames();
  #lastStream = 0;
  #silent = false;

  constructor(socket: Socket, random: Random) {
    this.#socket = socket;
    this.#random = random;
    this.#malice = random.pick([0.02, 0.1, 0.4]);
  }

  begin(): void {
    const random = this.#random;
    const opening = random.pick([...Array<"greet">(25).fill("greet"), "noise", "half a greeting", "end"] as const);
    if (opening === "noise") this.#say(random.bytes(random.below(64)));
    else if (opening === "half a greeting") this.#say(greetingBytes().subarray(0, random.below(28)));
    else if (opening === "end") this.#socket.end();
    else this.#greet();
  }

  #greet(): void {
    const random = this.#random;
    this.#say(greetingBytes());
    if (random.chance(0.03)) return;
    this.#say(random.chance(0.9) ? settings() : rawFrame(frameTypes.settings, 0, 0, this.#settings()));
    // Also while nobody waits for anything.
    if (random.chance(0.5)) setTimeout(() => this.#offend(), random.below(100));
    this.#socket.on("data", (chunk: Buffer) => {
      for (const heard of this.#frames.take(chunk)) if (!this.#silent) this.#react(heard);
    });
  }

  #react(heard: RawFrame): void {
    if (this.#random.chance(this.#malice)) this.#offend();
    if (heard.type === frameTypes.settings && (heard.flags & 1) === 0) this.#say(settingsAck());
    if (heard.type === frameTypes.ping && (heard.flags & 1) === 0) this.#say(pingAck(heard.payload));
    if (heard.type === frameTypes.headers) {
      this.#lastStream = heard.streamId;
      this.#answer(heard.streamId);
      if (this.#random.chance(this.#malice)) this.#offend();
    }
  }

  #answer(stream: number): void {
    const random = this.#random;
    const json = (text: string, status: 200 | 404 | 500 = 200) =>
      this.#say(Buffer.concat([head(stream, status), data(stream, Buffer.from(text), true)]));
    random.pick([
      () => json(hello),
      () => json(hello),
      () => json('{"ok":true}'),
      () => json('{"ok":true}'),
      () => json('{"code":"NOT_FOUND","message":"no"}', 404),
      () => json("[".repeat(random.below(5000)), random.pick([200, 500])),
      () => json(`{"entries":[${Array.from({ length: random.below(50) }, () => "{}").join()}]}`),
      () => this.#output(stream),
      () => this.#output(stream),
      () => {
        const length = random.below(3000);
        this.#say(head(stream, 200, false, contentLength(random.chance(0.8) ? String(length) : "-1")));
        this.#say(data(stream, random.bytes(length), random.chance(0.9)));
      },
      () => this.#say(head(stream, 200, true)),
      () => this.#say(head(stream)),
      () => this.#say(rawFrame(frameTypes.resetStream, 0, stream, Buffer.of(0, 0, 0, random.below(14)))),
      () => undefined,
    ])();
  }

  /** An exec's output, cut into frames of HTTP/2 anywhere. */
  #output(stream: number): void {
    const random = this.#random;
    const parts: Buffer[] = [];
    const offsets = { 1: 0, 2: 0 };
    for (let n = random.below(random.chance(0.1) ? 2000 : 8); n > 0; n--) {
      const type = random.pick([1, 2] as const);
      const payload = Buffer.alloc(1 + random.below(20), 97);
      const at = random.chance(0.02) ? random.below(2 ** 31) : offsets[type];
      parts.push(frame(type, at, payload));
      offsets[type] += payload.length;
    }
    if (random.chance(0.7)) parts.push(exitFrame(random.below(300)));
    const bytes = Buffer.concat(parts);
    if (random.chance(0.1) && bytes.length > 0) bytes[random.below(bytes.length)] = random.below(256);
    this.#say(head(stream));
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + random.below(random.pick([3, 100, 16_384]));
      this.#say(data(stream, bytes.subarray(at, at + length)));
      at += length;
    }
    if (random.chance(0.8)) this.#say(data(stream, none, true));
  }

  #offend(): void {
    const random = this.#random;
    const stream = this.#streamId();
    random.pick([
      () => this.#say(this.#anyFrame()),
      () => this.#say(this.#anyFrame()),
      () => this.#say(random.bytes(random.below(200))),
      () => this.#flood(this.#anyFrame()),
      () =>
        this.#flood(
          random.pick([
            rawFrame(frameTypes.ping, 0, 0, random.bytes(8)),
            settings(),
            data(this.#lastStream, none),
            data(this.#lastStream, Buffer.of(97)),
            rawFrame(frameTypes.windowUpdate, 0, random.pick([0, this.#lastStream]), Buffer.of(0, 0, 0, 1)),
            rawFrame(frameTypes.resetStream, 0, this.#lastStream, Buffer.of(0, 0, 0, 8)),
            rawFrame(frameTypes.continuation, 0, this.#lastStream, none),
          ]),
        ),
      // Heads: bytes that are no HPACK, many entries of the table, one that goes on and on.
      () => this.#say(rawFrame(frameTypes.headers, 4, stream, random.bytes(random.below(100)))),
      () =>
        this.#say(rawFrame(frameTypes.headers, 4, stream, Buffer.alloc(random.below(5000), 0x80 | random.below(70)))),
      () => {
        this.#say(rawFrame(frameTypes.headers, 0, stream, Buffer.of(0x88)));
        this.#flood(rawFrame(frameTypes.continuation, 0, stream, random.bytes(random.below(20))));
      },
      () => this.#say(rawFrame(frameTypes.settings, 0, 0, this.#settings())),
      () => this.#say(rawFrame(frameTypes.windowUpdate, 0, stream, random.bytes(4))),
      () => this.#say(rawFrame(frameTypes.goAway, 0, 0, random.bytes(random.pick([7, 8, 20])))),
      () => this.#say(rawFrame(frameTypes.data, 0, stream, none, 0xff_ffff)),
      () => this.#say(data(stream, Buffer.alloc(random.below(300_000)))),
      () => {
        this.#silent = true;
      },
      () => this.#socket.pause(),
      () => this.#socket.end(),
      () => this.#socket.destroy(),
    ])();
  }

  #anyFrame(): Buffer {
    const random = this.#random;
    const payload = random.bytes(random.pick([0, 1, 4, 5, 6, 8, 9, random.below(100)]));
    const length = random.chance(0.9) ? payload.length : random.pick([0, 1, 16_385, 0xff_ffff]);
    const flags = random.pick([0, 1, 4, 5, 8, 0x20, random.below(256)]);
    return rawFrame(random.below(12), flags, this.#streamId(), payload, length);
  }

  #settings(): Buffer {
    const random = this.#random;
    return Buffer.concat(
      Array.from({ length: random.below(6) }, () => {
        const setting = random.bytes(6);
        setting.writeUInt16BE(random.below(10), 0);
        return setting;
      }),
    );
  }

  #streamId(): number {
    const any = this.#random.below(2 ** 32);
    return this.#random.pick([0, 1, 2, 3, this.#lastStream, this.#lastStream, this.#lastStream + 2, any]);
  }

  #flood(one: Buffer): void {
    this.#say(Buffer.concat(Array.from({ length: this.#random.below(this.#random.pick([20, 3000])) }, () => one)));
  }

  /** In one piece, or cut anywhere. */
  #say(bytes: Buffer): void {
    if (this.#silent || this.#socket.destroyed || this.#socket.writableEnded) return;
    const cut = this.#random.chance(0.1) ? this.#random.below(bytes.length + 1) : bytes.length;
    this.#socket.write(bytes.subarray(0, cut));
    if (cut < bytes.length) this.#socket.write(bytes.subarray(cut));
  }
}
