import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestServer } from "@boxrun/server/testing";
import { describe, expect, it, vi } from "vitest";
import { BoxRunClient } from "../src/index.ts";
import { readBody, StubServer, sampleBox, sendJson } from "./support/stub-server.ts";

const small = { image: "base", cpu: 1, memory_mb: 64 };
const keyOf = (request: IncomingMessage) => request.headers["idempotency-key"];

/** Passes connections on to a server, and cuts those that it is told to when the answer comes: the server has done what it was asked. */
class CuttingProxy implements AsyncDisposable {
  readonly client: BoxRunClient;
  cuts = 0;
  readonly #server: Server;
  readonly #dir: string;

  private constructor(dir: string, upstream: string) {
    this.#dir = dir;
    this.#server = createServer((near) => this.#pass(near, connect(upstream)));
    this.client = new BoxRunClient({ socketPath: this.socketPath });
  }

  static async start(upstream: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(await mkdtemp(join(tmpdir(), "br-cut-")), upstream);
    proxy.#server.listen(proxy.socketPath);
    await once(proxy.#server, "listening");
    return proxy;
  }

  get socketPath(): string {
    return join(this.#dir, "s.sock");
  }

  #pass(near: Socket, far: Socket): void {
    near.on("data", (data) => far.write(data)).on("close", () => far.destroy());
    far.on("data", (data) => {
      if (this.cuts === 0) near.write(data);
      else {
        this.cuts -= 1;
        near.destroy();
      }
    });
    for (const socket of [near, far]) socket.on("error", () => undefined);
    far.on("close", () => near.destroy());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
    await rm(this.#dir, { recursive: true, force: true });
  }
}

describe("a request whose answer was lost", () => {
  it("is sent again by itself, and makes one box, one exec and one run", async () => {
    await using server = await startTestServer();
    await using proxy = await CuttingProxy.start(server.http.socketPath);
    const { client } = proxy;
    proxy.cuts = 2;
    const box = await client.create("base", { cpu: 1, memoryMb: 64 });
    expect((await client.list()).map(({ id }) => id)).toEqual([box.id]);
    proxy.cuts = 1;
    expect(await box.exec(["sh", "-c", "echo hello; exit 3"])).toMatchObject({ exitCode: 3, stdout: "hello\n" });
    proxy.cuts = 1;
    await client.execs.start(box.id, { cmd: ["true"] });
    expect(await box.execs()).toHaveLength(2);
    proxy.cuts = 1;
    expect(await client.run("base", ["echo", "ran"], { cpu: 1, memoryMb: 64 })).toMatchObject({ stdout: "ran\n" });
    expect(proxy.cuts).toBe(0);
    const history = await client.history.list();
    expect(history.map(({ action }) => action)).toEqual(["run", "exec", "exec", "create"]);
  });

  it("is sent again under the same key, and each other request under its own", async () => {
    const sent: { readonly key: unknown; readonly body: string }[] = [];
    await using stub = await StubServer.start(async (request, response, nth) => {
      sent.push({ key: keyOf(request), body: String(await readBody(request)) });
      if (nth === 1) request.socket.destroy();
      else sendJson(response, 201, sampleBox);
    });
    await stub.client.boxes.create(small);
    await stub.client.boxes.create(small);
    expect(sent[1]).toEqual(sent[0]);
    expect(sent.map(({ key }) => key)).toEqual(Array(3).fill(expect.stringMatching(/^[0-9a-f]{32}$/)));
    expect(sent[2]?.key).not.toBe(sent[0]?.key);
  });

  it("is sent again to a server that was killed and comes up again, once somebody has seen to that", async () => {
    const bringBack = vi.fn(() => stub.listen());
    await using stub = await StubServer.start(async (request, response, nth) => {
      if (nth > 1) return sendJson(response, 201, sampleBox);
      await readBody(request);
      await stub.drop();
    });
    await using client = new BoxRunClient({ socketPath: stub.socketPath, bringBack });
    expect(await client.boxes.create(small)).toEqual(sampleBox);
    expect(bringBack).toHaveBeenCalledOnce();
  });

  it("is sent again when a proxy can't reach the server, and not when the server says what is wrong", async () => {
    await using stub = await StubServer.start((_, response, nth) => {
      if (nth <= 2)
        response.writeHead(nth === 1 ? 502 : 503, { "content-type": "text/html" }).end("<h1>Bad Gateway</h1>");
      else if (nth === 3) sendJson(response, 201, sampleBox);
      else sendJson(response, 503, { code: "BOX_UNREACHABLE", message: "it does not answer" });
    });
    expect(await stub.client.boxes.create(small)).toEqual(sampleBox);
    await expect(stub.client.execs.start("dev", { cmd: ["true"] })).rejects.toMatchObject({ code: "BOX_UNREACHABLE" });
    expect(stub.requests).toBe(4);
  });

  it("is not sent to a server that is not there in the first place", async () => {
    const bringBack = vi.fn(async () => undefined);
    const client = new BoxRunClient({ socketPath: "/nonexistent/boxrun.sock", bringBack });
    await expect(client.boxes.create(small)).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
    expect(bringBack).not.toHaveBeenCalled();
  });

  it("is not sent again to a server that knows no keys, and would do it twice", async () => {
    await using stub = await StubServer.start((request) => request.socket.destroy());
    stub.knowsKeys = false;
    const lost = { code: "CONNECTION_FAILED", message: expect.stringContaining("Cannot reach") };
    await expect(stub.client.boxes.create(small)).rejects.toMatchObject(lost);
    expect(stub.requests).toBe(1);
  });

  it("is given up with its call", async () => {
    const controller = new AbortController();
    await using stub = await StubServer.start((request) => {
      request.socket.destroy();
      controller.abort(new Error("enough"));
    });
    await expect(stub.client.boxes.create(small, { signal: controller.signal })).rejects.toThrow("enough");
  });
});

it("a key of the caller's own goes with every request that may be sent again", async () => {
  const keys: unknown[] = [];
  await using stub = await StubServer.start((request, response) => {
    keys.push(keyOf(request));
    sendJson(response, 409, { code: "IDEMPOTENCY_KEY_REUSED", message: "sent before" });
  });
  const { client } = stub;
  const refused = { code: "IDEMPOTENCY_KEY_REUSED" };
  await expect(client.create("base", { idempotencyKey: "a" })).rejects.toMatchObject(refused);
  await expect(client.run("base", ["true"], { idempotencyKey: "b" })).rejects.toMatchObject(refused);
  await expect(client.execs.start("dev", {}, { idempotencyKey: "c" })).rejects.toMatchObject(refused);
  await expect(client.execs.follow("dev", {}, { idempotencyKey: "d" }).next()).rejects.toMatchObject(refused);
  expect(keys).toEqual(["a", "b", "c", "d"]);
});
