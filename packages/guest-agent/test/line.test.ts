import { mkdtempSync, rmSync } from "node:fs";
import type { ClientHttp2Stream } from "node:http2";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { socketAddress } from "../src/address.ts";
import { ConnectionLost } from "../src/errors.ts";
import { frameTypes } from "../src/gate/frame-walker.ts";
import { AgentLine } from "../src/line.ts";
import { helloSchema } from "../src/messages.ts";
import { requestJson } from "../src/requests.ts";
import type { RequestKind } from "../src/shares.ts";
import { data, HostFrames, head as headFrame, rawFrame, settings, settingsAck } from "./hostile/http2-frames.ts";
import { fakeBootId, greetingBytes, json, startFakeAgent } from "./support/fake-agent.ts";

const dir = mkdtempSync(join(tmpdir(), "bl-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let sockets = 0;
const socketPath = () => join(dir, `${sockets++}.sock`);

const hello = { agent: "0.4.0", protocol: 1, boot_id: fakeBootId, setup: true };
const over = new BoxRunError("RUNTIME_ERROR", "the test is over");

test("bytes of an older connection before the greeting make it hang up and connect again", async () => {
  const garbage = Buffer.from("000004010000000000000000000000000000000000000000000000000000", "hex");
  await using agent = await startFakeAgent(
    socketPath(),
    (stream) => json(stream, hello),
    (connection) => (connection < 3 ? garbage : greetingBytes()),
  );
  const line = new AgentLine(socketAddress(agent.path), fakeBootId);
  expect(await requestJson(line, "GET", "/hello", helloSchema)).toMatchObject({ setup: true });
  expect(agent.connections()).toBe(3);
  line.end(over);
});

test("an agent of another protocol version is refused, and the reason names both versions", async () => {
  await using agent = await startFakeAgent(
    socketPath(),
    (stream) => json(stream, hello),
    () => greetingBytes(fakeBootId, 3),
  );
  const line = new AgentLine(socketAddress(agent.path));
  await expect(line.open(AbortSignal.timeout(2000))).rejects.toThrow("version 3, this server 2");
  line.end(over);
});

test("a connection that is over before it is looked at is lost at once, and not waited for", async () => {
  const over = new Duplex({ read: () => undefined });
  over.push(greetingBytes());
  const greeted = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  greeted.push(greetingBytes());
  for (const stream of [over.destroy(), greeted]) {
    const line = new AgentLine({ name: "a call", connect: async () => stream });
    const opening = line.open(AbortSignal.timeout(5000));
    // Ends between the greeting and the agent's settings.
    setImmediate().then(() => stream.destroy());
    await expect(opening).rejects.toBeInstanceOf(ConnectionLost);
  }
});

test("another VM at the same socket is refused", async () => {
  await using agent = await startFakeAgent(socketPath(), (stream) => json(stream, hello));
  const line = new AgentLine(socketAddress(agent.path), "f".repeat(32));
  await expect(line.open(AbortSignal.timeout(2000))).rejects.toThrow("another VM answers");
  line.end(over);
});

test("a silent agent is given up when the caller says so", async () => {
  await using agent = await startFakeAgent(
    socketPath(),
    (stream) => json(stream, hello),
    () => Buffer.alloc(0),
  );
  const line = new AgentLine(socketAddress(agent.path));
  const controller = new AbortController();
  const opening = line.open(controller.signal);
  controller.abort(new Error("enough"));
  await expect(opening).rejects.toThrow("enough");
  line.end(over);
});

test("the end of the line rejects what is under way and what comes later, with its reason", async () => {
  const { promise: underWay, resolve: arrive } = Promise.withResolvers<void>();
  await using agent = await startFakeAgent(socketPath(), () => arrive());
  const line = new AgentLine(socketAddress(agent.path));
  await line.open(AbortSignal.timeout(2000));
  const asked = requestJson(line, "GET", "/hello", helloSchema).catch((error: unknown) => error);
  await underWay;
  line.end(over);
  expect(await asked).toBe(over);
  await expect(requestJson(line, "GET", "/hello", helloSchema)).rejects.toBe(over);
});

test.each([
  ["not JSON", (stream) => stream.end("<html>")],
  ["of another shape", (stream) => stream.end('{"agent":1}')],
  ["longer than allowed", (stream) => stream.end(Buffer.alloc(70_000, 32))],
] as const satisfies readonly (readonly [string, (stream: { end(content: string | Buffer): void }) => void])[])(
  "an answer that is %s is refused",
  async (_, answer) => {
    await using agent = await startFakeAgent(socketPath(), (stream) => {
      stream.respond({ ":status": 200 });
      answer(stream);
    });
    const line = new AgentLine(socketAddress(agent.path));
    await expect(requestJson(line, "GET", "/hello", helloSchema)).rejects.toMatchObject({ name: "WireViolation" });
    line.end(over);
  },
);

test("an agent that never answers is given up at the deadline, and the line stays good for others", async () => {
  let asked = 0;
  await using agent = await startFakeAgent(socketPath(), (stream) => {
    asked++;
    if (asked > 1) json(stream, hello);
  });
  const line = new AgentLine(socketAddress(agent.path));
  await expect(requestJson(line, "GET", "/hello", helloSchema, { limitMs: 100 })).rejects.toThrow(
    "not answered GET /hello",
  );
  expect(await requestJson(line, "GET", "/hello", helloSchema)).toMatchObject({ setup: true });
  expect(agent.connections()).toBe(1);
  line.end(over);
});

test("an agent behind a stream that is no socket is heard to the end, answers that come all at once too", async () => {
  await using agent = await startFakeAgent(socketPath(), (stream) => json(stream, hello));
  const line = new AgentLine({
    name: "a stream",
    connect: () => {
      const socket = connect(agent.path);
      return Duplex.from({ readable: socket, writable: socket });
    },
  });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => requestJson(line, "GET", "/hello", helloSchema, { body: {} })),
  );
  expect(answers).toHaveLength(20);
  line.end(over);
});

test("the end of the line ends requests also where the agent has stopped reading", async () => {
  await using agent = await startFakeAgent(socketPath(), () => undefined);
  let stopped = false;
  const line = new AgentLine({
    name: "a guest that stops",
    connect: () => {
      const socket = connect(agent.path);
      const stream = new Duplex({
        read: () => undefined,
        write: (chunk, _, done) => {
          if (!stopped) socket.write(chunk, done);
        },
        destroy: (error, done) => {
          socket.destroy();
          done(error);
        },
      });
      socket.on("data", (chunk) => stream.push(chunk));
      return stream;
    },
  });
  await line.open(AbortSignal.timeout(2000));
  stopped = true;
  const asked = requestJson(line, "GET", "/hello", helloSchema).catch((error: unknown) => error);
  await setImmediate();
  line.end(over);
  expect(await asked).toBe(over);
});

test("programs, inputs and transfers, however many, leave control its way, and the one too many is refused by name", async () => {
  await using agent = await startFakeAgent(socketPath(), (stream, { path }) => {
    if (path === "/hello") json(stream, hello);
    else stream.respond({ ":status": 200 });
  });
  const line = new AgentLine(socketAddress(agent.path));
  const open = (kind: RequestKind) => line.request({ ":method": "POST", ":path": "/held" }, { kind, endStream: false });
  const fill = async (kind: RequestKind): Promise<{ last: ClientHttp2Stream; count: number; refusal: unknown }> => {
    let last = await open(kind);
    for (let count = 1; ; count++) {
      try {
        last = await open(kind);
      } catch (refusal) {
        return { last, count, refusal };
      }
    }
  };
  const programs = await fill("exec");
  expect(programs.refusal).toMatchObject({
    code: "RESOURCE_EXCEEDED",
    message: expect.stringContaining(`${programs.count} programs run in this box already`),
  });
  const inputs = await fill("stdin");
  const transfers = await fill("transfer");
  expect([programs.count, inputs.count, transfers.count]).toEqual([768, 32, 48]);
  expect(await requestJson(line, "GET", "/hello", helloSchema)).toMatchObject({ setup: true });
  const closed = new Promise((resolve) => programs.last.once("close", resolve));
  programs.last.destroy();
  await closed;
  await open("exec");
  await expect(open("exec")).rejects.toMatchObject({ code: "RESOURCE_EXCEEDED" });
  line.end(over);
});

test.each<[string, Buffer]>([
  ["data of no stream", rawFrame(frameTypes.data, 0, 0, Buffer.of(65))],
  ["a ping of 7 bytes", rawFrame(frameTypes.ping, 0, 0, Buffer.alloc(7))],
  ["settings of 5 bytes", rawFrame(frameTypes.settings, 0, 0, Buffer.alloc(5))],
  ["a head that can't be decoded", rawFrame(frameTypes.headers, 4, 1, Buffer.of(255, 255, 255, 255))],
])(
  "an agent that sends %s once is asked again on a connection of its own, and one that goes on with it is barred",
  async (_, illegal) => {
    let isHostile = true;
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      const frames = new HostFrames();
      socket.on("error", () => undefined);
      socket.write(Buffer.concat([greetingBytes(), settings()]));
      socket.on("data", (chunk) => {
        for (const { type, flags, streamId } of frames.take(chunk)) {
          if (type === frameTypes.settings && flags === 0) socket.write(settingsAck());
          if (type !== frameTypes.headers) continue;
          const answer = [headFrame(streamId), data(streamId, Buffer.from(JSON.stringify(hello)), true)];
          socket.write(isHostile ? illegal : Buffer.concat(answer));
        }
      });
    });
    const path = socketPath();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => void server.close());
    const line = new AgentLine(socketAddress(path));
    onTestFinished(() => line.end(over));
    await line.open(AbortSignal.timeout(5000));
    const ask = () => requestJson(line, "GET", "/hello", helloSchema, { repeatable: true });
    await expect(ask()).rejects.toMatchObject({
      code: "BOX_UNREACHABLE",
      message: expect.stringMatching(
        /breaks the protocol again and again, and is not asked for the next 1 s: .*HTTP\/2/,
      ),
    });
    expect(connections).toBe(3);
    isHostile = false;
    let answer: unknown;
    while (answer === undefined) answer = await ask().catch(() => setImmediate(undefined));
    expect(answer).toMatchObject({ setup: true });
  },
);
