import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { ServerHttp2Stream } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { BoxRunError } from "@boxrun/contract";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { socketAddress } from "../src/address.ts";
import { AgentLine } from "../src/line.ts";
import { decodePortFrames } from "../src/port-frames.ts";
import { connectPort, listeningPorts, type PortHost } from "../src/ports.ts";
import { json, startFakeAgent } from "./support/fake-agent.ts";

const dir = mkdtempSync(join(tmpdir(), "bp-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let sockets = 0;
const never = () => ({ signal: new AbortController().signal });

const golden = z
  .object({
    samples: z.array(z.object({ name: z.string(), hex: z.string(), type: z.int(), payload_hex: z.string() })),
    malformed: z.array(z.object({ name: z.string(), hex: z.string() })),
  })
  .parse(JSON.parse(readFileSync(join(import.meta.dirname, "../../../fixtures/guest-wire/port.json"), "utf8")));

const bytes = (hex: string) => Buffer.from(hex, "hex");
const end = bytes("0200000000");

function frame(payload: string | Buffer): Buffer {
  const content = Buffer.from(payload);
  const header = Buffer.from([1, 0, 0, 0, 0]);
  header.writeUInt32BE(content.length, 1);
  return Buffer.concat([header, content]);
}

async function* inPieces(content: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

async function decode(content: Buffer, pieceBytes = content.length): Promise<Buffer> {
  const pieces = await Array.fromAsync(decodePortFrames(inPieces(content, Math.max(1, pieceBytes))));
  expect(pieces.indexOf(null)).toBe(pieces.length - 1);
  return Buffer.concat(pieces.filter((piece) => piece !== null));
}

describe("golden frames", () => {
  test.each(golden.samples)("decodes, cut anywhere: $name", async ({ hex, type, payload_hex: payload }) => {
    const content = type === 2 ? bytes(hex) : Buffer.concat([bytes(hex), end]);
    for (const size of [1, 2, 3, 7, content.length])
      expect((await decode(content, size)).toString("hex")).toBe(payload);
  });
  test.each(golden.malformed)("refuses: $name", async ({ hex }) => {
    await expect(decode(bytes(hex))).rejects.toThrow();
  });
  test("refuses bytes behind the end, and a connection without one", async () => {
    await expect(decode(Buffer.concat([end, frame("x")]))).rejects.toThrow("bytes came after");
    await expect(decode(frame("x"))).rejects.toThrow("without saying so");
  });
});

async function hostOf(answer: (stream: ServerHttp2Stream, path: string) => void): Promise<PortHost> {
  const agent = await startFakeAgent(join(dir, `${sockets++}.sock`), (stream, { path }) => answer(stream, path));
  const line = new AgentLine(socketAddress(agent.path));
  onTestFinished(async () => {
    line.end(new BoxRunError("RUNTIME_ERROR", "the test is over"));
    await agent[Symbol.asyncDispose]();
  });
  return { boxId: "box_1", line };
}

describe("a connection to a port", () => {
  test("goes both ways, and each ends by itself", async () => {
    const heard = Promise.withResolvers<string>();
    const host = await hostOf((stream, path) => {
      expect(path).toBe("/ports/8080");
      stream.respond({ ":status": 200 });
      stream.write(Buffer.concat([frame("good"), frame("-bye"), end]));
      text(stream).then((all) => {
        heard.resolve(all);
        stream.end();
      }, heard.reject);
    });
    const connection = await connectPort(host, 8080, never());
    expect(await text(connection)).toBe("good-bye");
    connection.write("still ");
    connection.end("here");
    expect(await heard.promise).toBe("still here");
  });

  test("that the program resets ends with an error, for who reads and for who writes", async () => {
    const host = await hostOf((stream) => {
      stream.respond({ ":status": 200 });
      stream.write(frame("half"), () => stream.close(2));
    });
    const connection = await connectPort(host, 80, never());
    await expect(buffer(connection)).rejects.toMatchObject({ code: "BOX_UNREACHABLE" });
    expect(connection.destroyed).toBe(true);
  });

  test("whose program has closed it takes nothing more", async () => {
    const host = await hostOf((stream) => {
      stream.respond({ ":status": 200 });
      stream.end(end);
      stream.close(0);
    });
    const connection = await connectPort(host, 80, never());
    const failed = new Promise((resolve) => connection.once("error", resolve));
    expect(await text(connection)).toBe("");
    expect(await failed).toMatchObject({ code: "BOX_UNREACHABLE" });
  });

  test("that breaks the protocol is ended", async () => {
    const host = await hostOf((stream) => {
      stream.respond({ ":status": 200 });
      stream.write(bytes("07ffffffff"));
    });
    await expect(buffer(await connectPort(host, 80, never()))).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
  });

  test("is refused where nothing listens, and by an agent that knows no ports", async () => {
    const refusing = await hostOf((stream) => json(stream, { code: "REFUSED", message: "nothing listens" }, 409));
    await expect(connectPort(refusing, 80, never())).rejects.toMatchObject({ code: "PORT_REFUSED" });
    const old = await hostOf((stream) => json(stream, { code: "BAD_REQUEST", message: "no such request" }, 400));
    await expect(connectPort(old, 80, never())).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
    await expect(listeningPorts(old)).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });

  test("has a budget of its own: 128 at once, whatever else goes on", async () => {
    const host = await hostOf((stream, path) => {
      if (path === "/ports") return json(stream, { ports: [{ port: 80, address: "::" }] });
      stream.respond({ ":status": 200 });
    });
    await Promise.all(Array.from({ length: 128 }, () => connectPort(host, 80, never())));
    await expect(connectPort(host, 80, never())).rejects.toMatchObject({ code: "RESOURCE_EXCEEDED" });
    expect(await listeningPorts(host)).toEqual([{ port: 80, address: "::", pid: null, process: null }]);
  });
});
