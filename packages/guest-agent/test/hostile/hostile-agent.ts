import { createServer, type Socket } from "node:net";
import type { Chance } from "@boxrun/engine-testkit/chance";
import { frameTypes } from "../../src/gate/frame-walker.ts";
import { exitFrame, fakeBootId, frame, greetingBytes } from "../support/fake-agent.ts";
import {
  boxrunLength,
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

const hello = JSON.stringify({ agent: "0.4.0", protocol: 2, boot_id: fakeBootId, setup: true });
const none = Buffer.alloc(0);

/** A guest that does its worst, chosen by `chance`, on every connection anew; now and then it does what it should. */
export async function startHostileAgent(path: string, chance: Chance): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
    new HostileConnection(socket, chance).begin();
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
  readonly #chance: Chance;
  /** How likely each thing that it says is wrong. */
  readonly #malice: number;
  readonly #frames = new HostFrames();
  #lastStream = 0;
  #silent = false;

  constructor(socket: Socket, chance: Chance) {
    this.#socket = socket;
    this.#chance = chance;
    this.#malice = chance.pick([0.02, 0.1, 0.4]);
  }

  begin(): void {
    const chance = this.#chance;
    const opening = chance.pick([...Array<"greet">(25).fill("greet"), "noise", "half a greeting", "end"] as const);
    if (opening === "noise") this.#say(chance.bytes(chance.below(64)));
    else if (opening === "half a greeting") this.#say(greetingBytes().subarray(0, chance.below(28)));
    else if (opening === "end") this.#socket.end();
    else this.#greet();
  }

  #greet(): void {
    const chance = this.#chance;
    this.#say(greetingBytes());
    if (chance.hits(0.03)) return;
    this.#say(chance.hits(0.9) ? settings() : rawFrame(frameTypes.settings, 0, 0, this.#settings()));
    // Also while nobody waits for anything.
    if (chance.hits(0.5)) setTimeout(() => this.#offend(), chance.below(100));
    this.#socket.on("data", (chunk: Buffer) => {
      for (const heard of this.#frames.take(chunk)) if (!this.#silent) this.#react(heard);
    });
  }

  #react(heard: RawFrame): void {
    if (this.#chance.hits(this.#malice)) this.#offend();
    if (heard.type === frameTypes.settings && (heard.flags & 1) === 0) this.#say(settingsAck());
    if (heard.type === frameTypes.ping && (heard.flags & 1) === 0) this.#say(pingAck(heard.payload));
    if (heard.type === frameTypes.headers) {
      this.#lastStream = heard.streamId;
      this.#answer(heard.streamId);
      if (this.#chance.hits(this.#malice)) this.#offend();
    }
  }

  #answer(stream: number): void {
    const chance = this.#chance;
    const json = (text: string, status: 200 | 404 | 500 = 200) =>
      this.#say(Buffer.concat([head(stream, status), data(stream, Buffer.from(text), true)]));
    chance.pick<() => void>([
      () => json(hello),
      () => json(hello),
      () => json('{"ok":true}'),
      () => json('{"ok":true}'),
      () => json('{"code":"NOT_FOUND","message":"no"}', 404),
      () => json("[".repeat(chance.below(5000)), chance.pick([200, 500])),
      () => json(`{"entries":[${Array.from({ length: chance.below(50) }, () => "{}").join()}]}`),
      () => this.#output(stream),
      () => this.#output(stream),
      () => this.#pieces(stream),
      () => this.#pieces(stream),
      // Slots that are free again, and more of them than there are; then an end, good or bad.
      () =>
        json(
          `${"\x01".repeat(chance.below(chance.pick([3, 12])))}${chance.pick(['{"ok":true}', '{"code":"IO","message":"no"}', ""])}`,
        ),
      () => {
        const length = chance.below(3000);
        this.#say(head(stream, 200, false, contentLength(chance.hits(0.8) ? String(length) : "-1")));
        this.#say(data(stream, chance.bytes(length), chance.hits(0.9)));
      },
      () => this.#say(head(stream, 200, true)),
      () => this.#say(head(stream)),
      () => this.#say(rawFrame(frameTypes.resetStream, 0, stream, Buffer.of(0, 0, 0, chance.below(14)))),
      () => undefined,
    ])();
  }

  /** A body of which the most is on the disk for transfers. */
  #pieces(stream: number): void {
    const chance = this.#chance;
    const parts: Buffer[] = [];
    let length = 0;
    for (let n = chance.below(6); n > 0; n--) {
      const slot = chance.hits(0.1) ? chance.below(256) : chance.pick([8, 9, 10, 255]);
      const bytes = chance.hits(0.05) ? chance.below(2 ** 32) : 1 + chance.below(slot === 255 ? 200 : 2 ** 20);
      const piece = Buffer.alloc(5 + (slot === 255 ? Math.min(bytes, 1000) : 0), slot);
      piece.writeUInt32BE(bytes, 1);
      parts.push(piece);
      length += bytes;
    }
    if (chance.hits(0.8)) parts.push(Buffer.of(254, 0, 0, 0, 0));
    const said = chance.hits(0.8) ? String(length) : String(chance.below(1000));
    this.#say(head(stream, 200, false, chance.hits(0.8) ? boxrunLength(said) : none));
    this.#say(data(stream, Buffer.concat(parts), chance.hits(0.8)));
  }

  /** An exec's output, cut into frames of HTTP/2 anywhere. */
  #output(stream: number): void {
    const chance = this.#chance;
    const parts: Buffer[] = [];
    const offsets = { 1: 0, 2: 0 };
    for (let n = chance.below(chance.hits(0.1) ? 2000 : 8); n > 0; n--) {
      const type = chance.pick([1, 2] as const);
      const payload = Buffer.alloc(1 + chance.below(20), 97);
      const at = chance.hits(0.02) ? chance.below(2 ** 31) : offsets[type];
      parts.push(frame(type, at, payload));
      offsets[type] += payload.length;
    }
    if (chance.hits(0.7)) parts.push(exitFrame(chance.below(300)));
    const bytes = Buffer.concat(parts);
    if (chance.hits(0.1) && bytes.length > 0) bytes[chance.below(bytes.length)] = chance.below(256);
    this.#say(head(stream));
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + chance.below(chance.pick([3, 100, 16_384]));
      this.#say(data(stream, bytes.subarray(at, at + length)));
      at += length;
    }
    if (chance.hits(0.8)) this.#say(data(stream, none, true));
  }

  #offend(): void {
    const chance = this.#chance;
    const stream = this.#streamId();
    chance.pick([
      () => this.#say(this.#anyFrame()),
      () => this.#say(this.#anyFrame()),
      () => this.#say(chance.bytes(chance.below(200))),
      () => this.#flood(this.#anyFrame()),
      () =>
        this.#flood(
          chance.pick([
            rawFrame(frameTypes.ping, 0, 0, chance.bytes(8)),
            settings(),
            data(this.#lastStream, none),
            data(this.#lastStream, Buffer.of(97)),
            rawFrame(frameTypes.windowUpdate, 0, chance.pick([0, this.#lastStream]), Buffer.of(0, 0, 0, 1)),
            rawFrame(frameTypes.resetStream, 0, this.#lastStream, Buffer.of(0, 0, 0, 8)),
            rawFrame(frameTypes.continuation, 0, this.#lastStream, none),
          ]),
        ),
      // Heads: bytes that are no HPACK, many entries of the table, one that goes on and on.
      () => this.#say(rawFrame(frameTypes.headers, 4, stream, chance.bytes(chance.below(100)))),
      () =>
        this.#say(rawFrame(frameTypes.headers, 4, stream, Buffer.alloc(chance.below(5000), 0x80 | chance.below(70)))),
      () => {
        this.#say(rawFrame(frameTypes.headers, 0, stream, Buffer.of(0x88)));
        this.#flood(rawFrame(frameTypes.continuation, 0, stream, chance.bytes(chance.below(20))));
      },
      () => this.#say(rawFrame(frameTypes.settings, 0, 0, this.#settings())),
      () => this.#say(rawFrame(frameTypes.windowUpdate, 0, stream, chance.bytes(4))),
      () => this.#say(rawFrame(frameTypes.goAway, 0, 0, chance.bytes(chance.pick([7, 8, 20])))),
      () => this.#say(rawFrame(frameTypes.data, 0, stream, none, 0xff_ffff)),
      () => this.#say(data(stream, Buffer.alloc(chance.below(300_000)))),
      () => {
        this.#silent = true;
      },
      () => this.#socket.pause(),
      () => this.#socket.end(),
      () => this.#socket.destroy(),
    ])();
  }

  #anyFrame(): Buffer {
    const chance = this.#chance;
    const payload = chance.bytes(chance.pick([0, 1, 4, 5, 6, 8, 9, chance.below(100)]));
    const length = chance.hits(0.9) ? payload.length : chance.pick([0, 1, 16_385, 0xff_ffff]);
    const flags = chance.pick([0, 1, 4, 5, 8, 0x20, chance.below(256)]);
    return rawFrame(chance.below(12), flags, this.#streamId(), payload, length);
  }

  #settings(): Buffer {
    const chance = this.#chance;
    return Buffer.concat(
      Array.from({ length: chance.below(6) }, () => {
        const setting = chance.bytes(6);
        setting.writeUInt16BE(chance.below(10), 0);
        return setting;
      }),
    );
  }

  #streamId(): number {
    const any = this.#chance.below(2 ** 32);
    return this.#chance.pick([0, 1, 2, 3, this.#lastStream, this.#lastStream, this.#lastStream + 2, any]);
  }

  #flood(one: Buffer): void {
    this.#say(Buffer.concat(Array.from({ length: this.#chance.below(this.#chance.pick([20, 3000])) }, () => one)));
  }

  /** In one piece, or cut anywhere. */
  #say(bytes: Buffer): void {
    if (this.#silent || this.#socket.destroyed || this.#socket.writableEnded) return;
    const cut = this.#chance.hits(0.1) ? this.#chance.below(bytes.length + 1) : bytes.length;
    this.#socket.write(bytes.subarray(0, cut));
    if (cut < bytes.length) this.#socket.write(bytes.subarray(cut));
  }
}
