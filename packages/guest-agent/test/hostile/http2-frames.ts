import { frameFlags, frameTypes } from "../../src/gate/frame-walker.ts";

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** `length`: what the frame says, if that is not so. */
export function rawFrame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer,
  length = payload.length,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length & 0xff_ffff, 0, 3);
  head.writeUInt8(type & 0xff, 3);
  head.writeUInt8(flags & 0xff, 4);
  head.writeUInt32BE(streamId >>> 0, 5);
  return Buffer.concat([head, payload]);
}

const none = Buffer.alloc(0);

export const settings = () => rawFrame(frameTypes.settings, 0, 0, none);
export const settingsAck = () => rawFrame(frameTypes.settings, frameFlags.ack, 0, none);
export const pingAck = (payload: Buffer) => rawFrame(frameTypes.ping, frameFlags.ack, 0, payload);
export const data = (streamId: number, payload: Buffer, end = false) =>
  rawFrame(frameTypes.data, end ? frameFlags.endStream : 0, streamId, payload);
/** HPACK: `:status` 200, 404 or 500 of the static table; `extra` is what comes behind it. */
export const head = (streamId: number, status: 200 | 404 | 500 = 200, end = false, extra: Buffer = none) =>
  rawFrame(
    frameTypes.headers,
    frameFlags.endHeaders | (end ? frameFlags.endStream : 0),
    streamId,
    Buffer.concat([Buffer.of({ 200: 0x88, 404: 0x8d, 500: 0x8e }[status]), extra]),
  );
/** HPACK: content-length without indexing (index 28 of the static table). */
export const contentLength = (text: string) =>
  Buffer.concat([Buffer.of(0x0f, 28 - 15, text.length), Buffer.from(text, "latin1")]);

/** The same for a header that has no index. */
export const boxrunLength = (text: string) =>
  Buffer.concat([
    Buffer.of(0, "boxrun-length".length),
    Buffer.from("boxrun-length", "latin1"),
    Buffer.of(text.length),
    Buffer.from(text, "latin1"),
  ]);

/** The host's side of a connection, frame by frame. */
export class HostFrames {
  #rest: Buffer = none;
  #prefaceLeft = 24;

  take(chunk: Buffer): RawFrame[] {
    const skipped = Math.min(this.#prefaceLeft, chunk.length);
    this.#prefaceLeft -= skipped;
    this.#rest = Buffer.concat([this.#rest, chunk.subarray(skipped)]);
    const frames: RawFrame[] = [];
    while (this.#rest.length >= 9) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) break;
      frames.push({
        type: this.#rest.readUInt8(3),
        flags: this.#rest.readUInt8(4),
        streamId: this.#rest.readUInt32BE(5),
        payload: Buffer.from(this.#rest.subarray(9, end)),
      });
      this.#rest = this.#rest.subarray(end);
    }
    return frames;
  }
}
