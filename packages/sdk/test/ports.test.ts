import { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Program } from "@boxrun/engine-testkit";
import { startTestServer, type TestServer } from "@boxrun/server/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BoxRunClient } from "../src/index.ts";

const largeBytes = 32 * 1024 * 1024;
let server: TestServer;
let client: BoxRunClient;
let flooded = 0;

const flood: Program = async ({ stdout }) => {
  for (const piece = Buffer.alloc(64 * 1024, "x"); flooded < largeBytes; flooded += piece.length) await stdout(piece);
  return 0;
};

beforeAll(async () => {
  server = await startTestServer({ tcp: null, programs: { flood } });
  client = new BoxRunClient({ socketPath: server.http.socketPath });
  await client.boxes.create({ image: "base", name: "dev", cpu: 1, memory_mb: 64 });
  for (const [port, program] of Object.entries({ 80: ["cat"], 81: ["echo", "good-bye"], 82: ["flood"] })) {
    await client.execs.start("dev", { cmd: ["nc", "-ll", "-p", port, "-e", ...program] });
  }
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

describe("a connection to a port", () => {
  it("is a pair of streams, each of which ends by itself", async () => {
    const connection = await client.ports.connect("dev", 80);
    const writer = connection.writable.getWriter();
    await writer.write(Buffer.from("one "));
    await writer.write(Buffer.from("two"));
    await writer.close();
    expect(await new Response(connection.readable).text()).toBe("one two");
    await connection.closed;
  });

  it("hears out a program that says its last word first", async () => {
    const connection = await client.ports.connect("dev", 81);
    expect(await new Response(connection.readable).text()).toBe("good-bye\n");
    await connection.writable.close();
    await connection.closed;
  });

  it("is a stream of Node's, byte for byte", async () => {
    const bytes = Buffer.alloc(largeBytes, "0123456789abc");
    const stream = Duplex.fromWeb(await client.ports.connect("dev", 80));
    stream.end(bytes);
    expect((await buffer(stream)).equals(bytes)).toBe(true);
  });

  it("whose reader pauses slows the program down, and nothing is lost", async () => {
    const connection = await client.ports.connect("dev", 82);
    await expect.poll(() => flooded).toBeGreaterThan(0);
    // It stands still: what is under way has room in the sockets.
    let before = -1;
    await expect
      .poll(
        () => {
          const stands = flooded === before;
          before = flooded;
          return stands;
        },
        { interval: 100 },
      )
      .toBe(true);
    expect(flooded).toBeLessThan(largeBytes / 2);
    expect((await new Response(connection.readable).arrayBuffer()).byteLength).toBe(largeBytes);
    await connection.writable.close();
    await connection.closed;
  });

  it("is refused with the server's reason", async () => {
    await expect(client.ports.connect("dev", 7)).rejects.toMatchObject({ code: "PORT_REFUSED" });
    await expect(client.ports.connect("nobody", 80)).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
  });

  it("is cut by its signal, and ends with an error then", async () => {
    const given = new AbortController();
    const connection = await client.ports.connect("dev", 80, { signal: given.signal });
    given.abort();
    await expect(connection.closed).rejects.toMatchObject({ code: "CANCELED" });
    await expect(new Response(connection.readable).text()).rejects.toMatchObject({ code: "CANCELED" });
  });

  it("ends with an error when its box does", async () => {
    await client.boxes.create({ image: "base", name: "gone", cpu: 1, memory_mb: 64 });
    await client.execs.start("gone", { cmd: ["nc", "-ll", "-p", "80", "-e", "cat"] });
    const connection = await client.ports.connect("gone", 80);
    await client.boxes.remove("gone", { force: true });
    await expect(connection.closed).rejects.toMatchObject({ code: "RUNTIME_ERROR" });
  });
});

it("lists the ports on which something listens", async () => {
  expect((await client.ports.list("dev")).map(({ port, process, reachable }) => [port, process, reachable])).toEqual([
    [80, "nc", true],
    [81, "nc", true],
    [82, "nc", true],
  ]);
});
