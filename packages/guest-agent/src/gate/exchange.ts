import { WireViolation } from "../violation.ts";
import { type FrameHead, type FrameJudge, frameFlags, frameTypes } from "./frame-walker.ts";
import { Rate } from "./rate.ts";

/** HTTP/2's window of a connection before anybody has changed it, in bytes. */
const initialWindow = 65_535;
/** An answer's head in bytes: a status, a type, a length and a date take some 100. */
const maxHeaderBlock = 4096;
const maxContinuations = 4;
/** An agent announces its settings once, each of which takes 6 bytes. */
const maxSettings = 8;
const maxSettingsLength = 32 * 6;
const maxGoAwayLength = 8 + 1024;
/** Streams that the host has reset, of which something may still be on its way. */
const maxReset = 1024;
const maxWindow = 0x7fff_ffff;

const settingIds = { enablePush: 2, initialWindowSize: 4, maxFrameSize: 5 } as const;

/** HTTP/2's code for "you broke the protocol"; the others, up to "enhance your calm", say it more precisely. */
const errorNames = new Map([
  [0x1, "PROTOCOL_ERROR"],
  [0x3, "FLOW_CONTROL_ERROR"],
  [0x5, "STREAM_CLOSED"],
  [0x6, "FRAME_SIZE_ERROR"],
  [0x9, "COMPRESSION_ERROR"],
  [0xb, "ENHANCE_YOUR_CALM"],
]);

/** What the agent still has to say on a stream. */
interface OpenStream {
  hasHead: boolean;
}

/**
 * One connection's streams, windows and open questions, as both sides' frames tell them. What `incoming` lets through is what the agent's HTTP/2
 * server may say at that point (docs/guest-protocol.md); `outgoing` is our own node:http2, which tells by it what it makes of that.
 */
export class Exchange {
  readonly incoming: FrameJudge;
  readonly outgoing: FrameJudge;

  /** `onGoAway`: the agent ends the connection, as it may. `mayGoOn`: see FrameJudge. */
  constructor(options: {
    readonly maxFrameSize: number;
    readonly onGoAway: (code: number) => void;
    readonly mayGoOn: (length: number) => boolean;
  }) {
    const state = new ExchangeState();
    this.incoming = new Incoming(state, options);
    this.outgoing = new Outgoing(state);
  }
}

class ExchangeState {
  readonly open = new Map<number, OpenStream>();
  /** Reset by the host, the oldest first. */
  readonly reset = new Set<number>();
  lastOpened = 0;
  /** Of the host's, not answered yet. */
  settings = 0;
  pings = 0;
  /** What the agent may still send of answers' bodies, in bytes. */
  window = initialWindow;
}

class Outgoing implements FrameJudge {
  readonly #state: ExchangeState;

  constructor(state: ExchangeState) {
    this.#state = state;
  }

  check(): void {
    // It is ours.
  }

  mayGoOn(): boolean {
    return true;
  }

  needsPayload({ type }: FrameHead): boolean {
    return type === frameTypes.windowUpdate || type === frameTypes.resetStream || type === frameTypes.goAway;
  }

  take({ type, flags, streamId }: FrameHead, payload: Buffer): void {
    const state = this.#state;
    switch (type) {
      case frameTypes.headers:
        if (streamId <= state.lastOpened) return;
        state.lastOpened = streamId;
        state.open.set(streamId, { hasHead: false });
        return;
      case frameTypes.settings:
        if ((flags & frameFlags.ack) === 0) state.settings += 1;
        return;
      case frameTypes.ping:
        if ((flags & frameFlags.ack) === 0) state.pings += 1;
        return;
      case frameTypes.windowUpdate:
        if (streamId === 0) state.window += payload.readUInt32BE(0);
        return;
      case frameTypes.resetStream:
        blame(payload.readUInt32BE(0), `stream ${streamId}`);
        if (!state.open.delete(streamId)) return;
        state.reset.add(streamId);
        for (const oldest of state.reset) {
          if (state.reset.size <= maxReset) break;
          state.reset.delete(oldest);
        }
        return;
      case frameTypes.goAway:
        // After that node:http2 refuses every request, and stays as it is.
        blame(payload.readUInt32BE(4), "the connection");
        return;
    }
  }
}

/** What got through the gate and is wrong all the same, as a head that can't be decoded: HTTP/2 has found out. */
function blame(code: number, what: string): void {
  const name = errorNames.get(code);
  if (name !== undefined) throw new WireViolation(`HTTP/2 gives ${what} up: ${name}`);
}

class Incoming implements FrameJudge {
  readonly mayGoOn: (length: number) => boolean;
  readonly #state: ExchangeState;
  readonly #maxFrameSize: number;
  readonly #onGoAway: (code: number) => void;
  /** What no agent does in numbers, but may: more of it than this ends the connection. */
  readonly #pings = new Rate(100, 10);
  readonly #emptyData = new Rate(100, 10);
  #settings = 0;
  /** The stream whose head goes on in the next frame, and what there is of it. */
  #continued: { readonly streamId: number; length: number; frames: number } | undefined;

  constructor(
    state: ExchangeState,
    options: {
      readonly maxFrameSize: number;
      readonly onGoAway: (code: number) => void;
      readonly mayGoOn: (length: number) => boolean;
    },
  ) {
    this.#state = state;
    this.#maxFrameSize = options.maxFrameSize;
    this.#onGoAway = options.onGoAway;
    this.mayGoOn = options.mayGoOn;
  }

  check(head: FrameHead): void {
    const { type, length, streamId, flags } = head;
    if (length > this.#maxFrameSize) violated(head, `want at most ${this.#maxFrameSize}`);
    if (streamId > maxWindow) violated(head, "its reserved bit is set");
    if (this.#continued !== undefined && (type !== frameTypes.continuation || streamId !== this.#continued.streamId)) {
      violated(head, `the head of stream ${this.#continued.streamId} is not complete`);
    }
    if (this.#settings === 0 && (type !== frameTypes.settings || (flags & frameFlags.ack) !== 0)) {
      violated(head, "the settings come first");
    }
    switch (type) {
      case frameTypes.data:
        this.#checkData(head);
        return;
      case frameTypes.headers:
        this.#checkHeaders(head);
        return;
      case frameTypes.continuation:
        this.#checkContinuation(head);
        return;
      case frameTypes.resetStream:
      case frameTypes.windowUpdate:
        if (length !== 4) violated(head, "want 4");
        if (streamId !== 0 || type === frameTypes.resetStream) this.#checkOpened(head);
        return;
      case frameTypes.settings:
        this.#checkSettings(head);
        return;
      case frameTypes.ping:
        if (length !== 8) violated(head, "want 8");
        if (streamId !== 0) violated(head, "it belongs to no stream");
        if ((flags & frameFlags.ack) !== 0 && this.#state.pings === 0) violated(head, "it answers nothing");
        return;
      case frameTypes.goAway:
        if (length < 8 || length > maxGoAwayLength) violated(head, `want 8 to ${maxGoAwayLength}`);
        if (streamId !== 0) violated(head, "it belongs to no stream");
        return;
      default:
        violated(head, "an agent sends no such frame");
    }
  }

  needsPayload({ type }: FrameHead): boolean {
    return type === frameTypes.settings || type === frameTypes.windowUpdate || type === frameTypes.goAway;
  }

  take(head: FrameHead, payload: Buffer): void {
    const { type, length, streamId, flags } = head;
    const state = this.#state;
    switch (type) {
      case frameTypes.data:
        state.window -= length;
        if ((flags & frameFlags.endStream) !== 0) this.#over(streamId);
        else if (length === 0 && !this.#emptyData.take(1)) violated(head, "there are too many empty ones");
        return;
      case frameTypes.headers: {
        const stream = state.open.get(streamId);
        if (stream !== undefined) stream.hasHead = true;
        if ((flags & frameFlags.endHeaders) === 0) this.#continued = { streamId, length, frames: 0 };
        if ((flags & frameFlags.endStream) !== 0) this.#over(streamId);
        return;
      }
      case frameTypes.continuation:
        if (this.#continued === undefined) return;
        this.#continued.length += length;
        this.#continued.frames += 1;
        if ((flags & frameFlags.endHeaders) !== 0) this.#continued = undefined;
        return;
      case frameTypes.resetStream:
        this.#over(streamId);
        return;
      case frameTypes.settings:
        if ((flags & frameFlags.ack) !== 0) state.settings -= 1;
        else this.#takeSettings(head, payload);
        return;
      case frameTypes.ping:
        if ((flags & frameFlags.ack) !== 0) state.pings -= 1;
        else if (!this.#pings.take(1)) violated(head, "there are too many");
        return;
      case frameTypes.goAway:
        this.#onGoAway(payload.readUInt32BE(4));
        return;
      case frameTypes.windowUpdate:
        if ((payload.readUInt32BE(0) & maxWindow) === 0) violated(head, "it adds nothing");
        return;
    }
  }

  #checkData(head: FrameHead): void {
    this.#checkOpened(head);
    if ((head.flags & frameFlags.padded) !== 0) violated(head, "it is padded");
    if (this.#state.open.get(head.streamId)?.hasHead === false) violated(head, "the answer's head comes first");
    this.#checkNotOver(head);
    if (head.length > this.#state.window) violated(head, `the window has room for ${this.#state.window}`);
  }

  #checkHeaders(head: FrameHead): void {
    this.#checkOpened(head);
    if ((head.flags & (frameFlags.padded | frameFlags.priority)) !== 0) violated(head, "it has padding or a priority");
    if (head.length === 0 || head.length > maxHeaderBlock) violated(head, `want 1 to ${maxHeaderBlock}`);
    if (this.#state.open.get(head.streamId)?.hasHead === true) violated(head, "the answer has a head already");
    this.#checkNotOver(head);
  }

  #checkContinuation(head: FrameHead): void {
    const before = this.#continued;
    if (before === undefined) violated(head, "nothing is continued");
    else if (before.frames >= maxContinuations) violated(head, `a head has at most ${maxContinuations}`);
    else if (before.length + head.length > maxHeaderBlock)
      violated(head, `a head is at most ${maxHeaderBlock} bytes long`);
  }

  #checkSettings(head: FrameHead): void {
    if (head.streamId !== 0) violated(head, "it belongs to no stream");
    if ((head.flags & frameFlags.ack) !== 0) {
      if (head.length !== 0) violated(head, "want 0");
      if (this.#state.settings === 0) violated(head, "it answers nothing");
      return;
    }
    if (head.length % 6 !== 0 || head.length > maxSettingsLength) {
      violated(head, `want a multiple of 6, up to ${maxSettingsLength}`);
    }
    if (this.#settings >= maxSettings) violated(head, "there are too many");
  }

  #takeSettings(head: FrameHead, payload: Buffer): void {
    this.#settings += 1;
    for (let at = 0; at < payload.length; at += 6) {
      const id = payload.readUInt16BE(at);
      const value = payload.readUInt32BE(at + 2);
      if (id === settingIds.enablePush && value !== 0) violated(head, "a server can't be pushed to");
      if (id === settingIds.initialWindowSize && value > maxWindow) violated(head, `a window of ${value}`);
      if (id === settingIds.maxFrameSize && (value < 16_384 || value >= 1 << 24)) violated(head, `frames of ${value}`);
    }
  }

  /** The host has asked on this stream, some time. */
  #checkOpened(head: FrameHead): void {
    const { streamId } = head;
    if (streamId % 2 === 0 || streamId > this.#state.lastOpened) violated(head, "nothing was asked there");
  }

  #checkNotOver(head: FrameHead): void {
    if (!this.#state.open.has(head.streamId) && !this.#state.reset.has(head.streamId)) {
      violated(head, "the answer is over");
    }
  }

  #over(streamId: number): void {
    this.#state.open.delete(streamId);
    this.#state.reset.delete(streamId);
  }
}

const typeNames = new Map<number, string>(Object.entries(frameTypes).map(([name, type]) => [type, name]));

function violated({ type, length, streamId }: FrameHead, why: string): never {
  const name = typeNames.get(type) ?? `type ${type}`;
  throw new WireViolation(`an HTTP/2 frame (${name}, ${length} bytes, stream ${streamId}): ${why}`);
}
