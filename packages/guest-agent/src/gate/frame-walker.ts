/**
 * What every HTTP/2 frame begins with (RFC 9113, section 4.1), integers big-endian:
 *
 *  0            3      4       5                9
 *  +------------+------+-------+----------------+
 *  | length u24 | type | flags | stream id u32  | payload
 *  +------------+------+-------+----------------+
 */
const headSize = 9;

export interface FrameHead {
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  /** With the reserved bit, which is zero in a frame that is as it should be. */
  readonly streamId: number;
}

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const frameFlags = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** What looks at the frames of one direction. */
export interface FrameJudge {
  /** Throws for a frame that may not be. May be called more than once for the same: it changes nothing. */
  check(head: FrameHead): void;
  /** Whether `take` needs the payload. Only of frames whose length `check` bounds. */
  needsPayload(head: FrameHead): boolean;
  /** The frame counts. `payload` is empty where it is not needed. */
  take(head: FrameHead, payload: Buffer): void;
  /** Whether there is room for a frame of this length now; `false` stops the walk before it. */
  mayGoOn(length: number): boolean;
}

const nothing: Buffer = Buffer.alloc(0);

/** Finds the frames in a stream of bytes that comes in pieces of any size. */
export class FrameWalker {
  readonly #judge: FrameJudge;
  /** What was not walked over yet: a part of a frame's beginning, or all behind where the judge stopped. */
  #rest: Buffer = nothing;
  /** Of the current frame's payload. */
  #left = 0;

  constructor(judge: FrameJudge) {
    this.#judge = judge;
  }

  /** Bytes that wait. */
  get waiting(): number {
    return this.#rest.length;
  }

  /** Gives those bytes, in order, that are judged; what is left is looked at again with the next ones. */
  walk(chunk: Buffer): { readonly passed: Buffer; readonly stopped: boolean } {
    const bytes =
      this.#rest.length === 0 ? chunk : chunk.length === 0 ? this.#rest : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    let stopped = false;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, bytes.length - at);
        at += step;
        this.#left -= step;
        continue;
      }
      if (bytes.length - at < headSize) break;
      const head = readHead(bytes, at);
      this.#judge.check(head);
      const needed = this.#judge.needsPayload(head) ? head.length : 0;
      if (bytes.length - at < headSize + needed) break;
      if (!this.#judge.mayGoOn(head.length)) {
        stopped = true;
        break;
      }
      this.#judge.take(head, bytes.subarray(at + headSize, at + headSize + needed));
      at += headSize;
      this.#left = head.length;
    }
    this.#rest = at === bytes.length ? nothing : bytes.subarray(at);
    return { passed: bytes.subarray(0, at), stopped };
  }
}

function readHead(bytes: Buffer, at: number): FrameHead {
  return {
    length: bytes.readUIntBE(at, 3),
    type: bytes.readUInt8(at + 3),
    flags: bytes.readUInt8(at + 4),
    streamId: bytes.readUInt32BE(at + 5),
  };
}
