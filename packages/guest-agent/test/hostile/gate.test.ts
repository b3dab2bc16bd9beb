import { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { Turns } from "@boxrun/core";
import { Chance } from "@boxrun/engine-testkit/chance";
import { expect, test } from "vitest";
import { ConnectionLost } from "../../src/errors.ts";
import { frameTypes } from "../../src/gate/frame-walker.ts";
import { Gate } from "../../src/gate/gate.ts";
import { Rate } from "../../src/gate/rate.ts";
import { WireViolation } from "../../src/violation.ts";
import { data, head, pingAck, rawFrame, settings, settingsAck } from "./http2-frames.ts";
import { runSeed } from "./seed.ts";

const none = Buffer.alloc(0);
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const ask = (stream: number) => rawFrame(frameTypes.headers, 5, stream, Buffer.of(0x82));
const ping = (flags = 0) => rawFrame(frameTypes.ping, flags, 0, Buffer.alloc(8));

interface Passage {
  readonly gate: Gate;
  /** What has come through. */
  readonly passed: () => Buffer;
  readonly cut: () => Error | undefined;
  readonly say: (bytes: Buffer) => void;
}

interface OpenOptions {
  readonly turns?: Turns;
  readonly rate?: Rate;
  readonly socket?: Duplex;
}

const silentSocket = () => new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });

/** A gate whose host has settled the connection and asked on streams 1, 3 and 5. */
function open({ socket = silentSocket(), ...options }: OpenOptions = {}): Passage {
  const passed: Buffer[] = [];
  let cut: Error | undefined;
  const gate = new Gate(socket, {
    maxFrameSize: 16_384,
    onCut: (reason) => {
      cut = reason;
    },
    turns: new Turns(1_000_000),
    ...options,
  });
  gate.on("data", (chunk: Buffer) => passed.push(chunk));
  gate.write(Buffer.concat([preface, settings(), ask(1), ask(3), ask(5)]));
  return { gate, passed: () => Buffer.concat(passed), cut: () => cut, say: (bytes) => socket.emit("data", bytes) };
}

const written = (gate: Gate, bytes: Buffer) => new Promise((resolve) => gate.write(bytes, resolve));

const begin = [settings(), settingsAck()];

test("what an agent's HTTP/2 server says comes through as it is", async () => {
  const { say, passed, cut, gate } = open();
  await written(gate, ping());
  const all = Buffer.concat([
    ...begin,
    pingAck(Buffer.alloc(8)),
    rawFrame(frameTypes.windowUpdate, 0, 0, Buffer.of(0, 0, 16, 0)),
    head(1),
    data(1, Buffer.from("answer")),
    data(1, none, true),
    // Go resets a stream whose request it has not read to its end.
    rawFrame(frameTypes.resetStream, 0, 1, Buffer.of(0, 0, 0, 0)),
    rawFrame(frameTypes.windowUpdate, 0, 1, Buffer.of(0, 0, 16, 0)),
    head(3, 404, true),
    rawFrame(frameTypes.headers, 0, 5, Buffer.of(0x88)),
    rawFrame(frameTypes.continuation, 4, 5, none),
  ]);
  say(all);
  expect(cut()).toBeUndefined();
  expect(passed()).toEqual(all);
});

test.each<[string, Buffer[], RegExp]>([
  ["data of no stream", [...begin, data(0, Buffer.of(65))], /data, 1 bytes, stream 0\): nothing was asked/],
  ["data of a stream that nobody opened", [...begin, data(7, none)], /nothing was asked/],
  ["data before the answer's head", [...begin, data(1, Buffer.of(65))], /head comes first/],
  ["data behind the end", [...begin, head(1, 200, true), data(1, none)], /answer is over/],
  ["data behind a reset", [...begin, rawFrame(3, 0, 1, Buffer.alloc(4)), data(1, none)], /answer is over/],
  ["padding", [...begin, head(1), rawFrame(0, 8, 1, Buffer.of(200))], /padded/],
  ["more than the window", [...begin, head(1), ...Array(5).fill(data(1, Buffer.alloc(16_000)))], /window has room for/],
  ["an oversize frame", [...begin, rawFrame(0, 0, 1, none, 0xff_ffff)], /want at most 16384/],
  ["a second head", [...begin, head(1), head(1)], /a head already/],
  ["an empty head", [...begin, rawFrame(1, 4, 1, none)], /want 1 to 4096/],
  ["a long head", [...begin, rawFrame(1, 4, 1, Buffer.alloc(4097))], /want 1 to 4096/],
  [
    "a head without an end",
    [...begin, rawFrame(1, 0, 1, Buffer.of(0x88)), ...Array(5).fill(rawFrame(9, 0, 1, none))],
    /at most 4/,
  ],
  [
    "a head that grows",
    [...begin, rawFrame(1, 0, 1, Buffer.alloc(4000)), rawFrame(9, 0, 1, Buffer.alloc(97))],
    /at most 4096/,
  ],
  ["something else within a head", [...begin, rawFrame(1, 0, 1, Buffer.of(0x88)), ping()], /not complete/],
  ["a continuation of nothing", [...begin, rawFrame(9, 4, 1, none)], /nothing is continued/],
  ["no settings first", [ping()], /settings come first/],
  ["settings of 5 bytes", [rawFrame(4, 0, 0, Buffer.alloc(5))], /multiple of 6/],
  ["settings of a stream", [rawFrame(4, 0, 1, none)], /belongs to no stream/],
  ["settings again and again", [...begin, ...Array(9).fill(settings())], /too many/],
  ["push", [rawFrame(4, 0, 0, Buffer.of(0, 2, 0, 0, 0, 1))], /pushed/],
  ["a window beyond 2 GiB", [rawFrame(4, 0, 0, Buffer.of(0, 4, 255, 255, 255, 255))], /a window of/],
  ["an acknowledgement of nothing", [...begin, settingsAck()], /answers nothing/],
  ["a ping of 7 bytes", [...begin, rawFrame(6, 0, 0, Buffer.alloc(7))], /ping, 7 bytes.*want 8/],
  ["an answer to no ping", [...begin, ping(1)], /answers nothing/],
  ["a flood of pings", [...begin, ...Array(200).fill(ping())], /too many/],
  ["a flood of empty data", [...begin, head(1), ...Array(200).fill(data(1, none))], /too many empty/],
  ["a push promise", [...begin, rawFrame(5, 4, 1, Buffer.alloc(5))], /no such frame/],
  ["a priority", [...begin, rawFrame(2, 0, 1, Buffer.alloc(5))], /no such frame/],
  ["a frame of a type that there is not", [...begin, rawFrame(77, 0, 0, none)], /type 77.*no such frame/],
  ["a window that grows by nothing", [...begin, rawFrame(8, 0, 0, Buffer.alloc(4))], /adds nothing/],
  ["a reset of 3 bytes", [...begin, rawFrame(3, 0, 1, Buffer.alloc(3))], /want 4/],
  ["a short goodbye", [...begin, rawFrame(7, 0, 0, Buffer.alloc(7))], /want 8 to/],
])("%s closes the gate, and the reason names it", (_, frames, reason) => {
  for (const pieces of [[Buffer.concat(frames)], [...Buffer.concat(frames)].map((byte) => Buffer.of(byte))]) {
    const { say, cut, gate, passed } = open();
    for (const piece of pieces) say(piece);
    expect(cut()).toBeInstanceOf(WireViolation);
    expect(cut()?.message).toMatch(reason);
    expect(gate.destroyed).toBe(true);
    const before = passed().length;
    say(settings());
    expect(passed()).toHaveLength(before);
  }
});

test("what a reset stream still had on its way comes through, and a goodbye ends the connection without blame", async () => {
  const { say, cut, gate } = open();
  await written(gate, rawFrame(frameTypes.resetStream, 0, 1, Buffer.of(0, 0, 0, 8)));
  say(Buffer.concat([...begin, head(1), data(1, Buffer.from("late"), true)]));
  expect(cut()).toBeUndefined();
  say(rawFrame(frameTypes.goAway, 0, 0, Buffer.alloc(8)));
  expect(cut()).toBeInstanceOf(ConnectionLost);
});

test("that HTTP/2 itself gives the connection up closes the gate", async () => {
  const { cut, gate } = open();
  await written(gate, rawFrame(frameTypes.goAway, 0, 0, Buffer.of(0, 0, 0, 0, 0, 0, 0, 9)));
  expect(cut()?.message).toContain("COMPRESSION_ERROR");
});

test("bytes that are judged do not depend on how they are cut into pieces", () => {
  const seed = runSeed();
  for (let n = 0; n < 10_000; n++) {
    const chance = new Chance(seed + n);
    const frames = Array.from({ length: chance.below(8) }, () =>
      chance.pick([
        () => rawFrame(chance.below(11), chance.pick([0, 1, 4, 5, 8]), chance.below(7), chance.bytes(chance.below(12))),
        () => head(chance.pick([1, 3, 5])),
        () => data(chance.pick([1, 3, 5]), chance.bytes(chance.below(40)), chance.hits(0.2)),
        () => rawFrame(frameTypes.windowUpdate, 0, chance.below(6), Buffer.of(0, 0, 0, 1)),
      ])(),
    );
    const bytes = Buffer.concat([...begin, ...frames]);
    const [whole, cut] = [open(), open()];
    whole.say(bytes);
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + chance.below(20);
      cut.say(bytes.subarray(at, at + length));
      at += length;
    }
    const what = { seed: seed + n, reason: whole.cut()?.message };
    expect({ seed: seed + n, reason: cut.cut()?.message }).toEqual(what);
    // In pieces, what comes before the violation is let through; together with it, it is not.
    if (whole.cut() === undefined) expect(cut.passed()).toEqual(whole.passed());
  }
});

test("a box that says much waits for later turns, and another's few words come through in between", async () => {
  const turns = new Turns(100);
  const [loud, quiet] = [open({ turns }), open({ turns })];
  const flood = Buffer.concat([...begin, head(1), ...Array(5000).fill(data(1, Buffer.of(97)))]);
  loud.say(flood);
  const first = loud.passed().length;
  expect(first).toBeLessThan(flood.length / 10);
  quiet.say(Buffer.concat([...begin, head(1)]));
  while (quiet.passed().length === 0) await new Promise(setImmediate);
  expect(loud.passed().length).toBeLessThan(flood.length / 5);
  while (loud.passed().length < flood.length) await new Promise(setImmediate);
  expect(loud.cut()).toBeUndefined();
});

test("a box that says little at a time is read as slowly as one that says as many frames", async () => {
  let nowMs = 0;
  const rate = new Rate(100, 1000, () => nowMs);
  const socket = silentSocket();
  const { passed, cut } = open({ rate, socket });
  const said = Buffer.concat([...begin, head(1), data(1, Buffer.alloc(4000, "a"))]);
  for (const byte of said) socket.push(Buffer.of(byte));
  for (let turn = 0; turn < 500; turn++) await new Promise(setImmediate);
  expect(passed().length).toBeGreaterThan(0);
  expect(passed().length).toBeLessThan(200);
  while (passed().length < said.length) {
    nowMs += 100;
    await delay(1);
  }
  expect(passed()).toEqual(said);
  expect(cut()).toBeUndefined();
});

test("a box that says more than it may in the long run is read as slowly as that", () => {
  let nowMs = 0;
  const rate = new Rate(10, 1000, () => nowMs);
  expect(Array.from({ length: 20 }, () => rate.take(1)).filter(Boolean)).toHaveLength(10);
  expect(rate.waitMs).toBeGreaterThan(0);
  nowMs += rate.waitMs;
  expect(rate.take(1)).toBe(true);
  nowMs += 60_000;
  expect(Array.from({ length: 20 }, () => rate.take(1)).filter(Boolean)).toHaveLength(10);
});
