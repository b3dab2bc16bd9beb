import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { BoxRunClient } from "../src/index.ts";
import { StubServer, sampleBox, sendJson } from "./support/stub-server.ts";

describe("the connection to a server", () => {
  it("is used again", async () => {
    const sockets = new Set<Socket>();
    await using stub = await StubServer.start((request, response) => {
      sockets.add(request.socket);
      sendJson(response, 200, sampleBox);
    });
    for (let call = 0; call < 3; call += 1) await stub.client.boxes.get("dev");
    expect(sockets.size).toBe(1);
  });

  it("that has died idle is made anew for what only asks, and for nothing else", async () => {
    const sockets: Socket[] = [];
    const asked: (string | undefined)[] = [];
    await using stub = await StubServer.start((request, response) => {
      asked.push(request.method);
      // A server that gives a connection up just as a request comes on it.
      if (sockets.includes(request.socket)) request.socket.destroy();
      else sendJson(response, 200, sampleBox);
      sockets.push(request.socket);
    });
    expect((await stub.client.boxes.get("dev")).name).toBe("dev");
    expect((await stub.client.boxes.get("dev")).name).toBe("dev");
    expect(asked).toEqual(["GET", "GET", "GET"]);
    await expect(stub.client.boxes.start("dev")).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
    expect(asked).toEqual(["GET", "GET", "GET", "POST"]);
  });

  it("is let go of when the client is disposed of, once what is under way has ended", async () => {
    const answer = Promise.withResolvers<void>();
    await using stub = await StubServer.start(async (_, response) => {
      await answer.promise;
      sendJson(response, 200, sampleBox);
    });
    const client = new BoxRunClient({ socketPath: stub.socketPath });
    const call = client.boxes.get("dev");
    const disposed = client[Symbol.asyncDispose]();
    answer.resolve();
    expect(await call).toEqual(sampleBox);
    await disposed;
  });

  it("ends an upload whose answer has come already, with a source that has nothing to say any more", async () => {
    await using stub = await StubServer.start((_, response) =>
      sendJson(response, 404, { code: "BOX_NOT_FOUND", message: "no such box" }),
    );
    const content = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(Buffer.from("first")),
    });
    await expect(stub.client.files.upload("dev", "/x", content)).rejects.toMatchObject({ code: "BOX_NOT_FOUND" });
    // Would wait for a request that goes on.
    await stub.client[Symbol.asyncDispose]();
  });

  it("speaks TLS to an https address", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const firstByte = once(server, "connection").then(async ([socket]: Socket[]) => {
      if (socket === undefined) throw new Error("no connection");
      const [bytes]: Buffer[] = await once(socket, "data");
      socket.destroy();
      return bytes?.[0];
    });
    await using client = new BoxRunClient({ baseUrl: `https://127.0.0.1:${address.port}` });
    await expect(client.info()).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
    // A TLS record of a handshake.
    expect(await firstByte).toBe(0x16);
    server.close();
  });
});
