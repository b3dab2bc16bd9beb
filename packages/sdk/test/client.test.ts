import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { revision } from "@boxrun/contract/plain";
import { describe, expect, it } from "vitest";
import { BoxRunClient, BoxRunError, ClientError, systemCodeOf } from "../src/index.ts";
import { readBody, StubServer, sampleBox, sendJson } from "./support/stub-server.ts";

describe("calls", () => {
  it("send what the contract says and give back what the server answers", async () => {
    const seen: unknown[] = [];
    await using stub = await StubServer.start(async (request, response) => {
      seen.push([request.method, request.url, JSON.parse((await readBody(request)).toString() || "null")]);
      if (request.method === "DELETE") sendJson(response, 200, { ok: true });
      else if (request.url?.startsWith("/v1/boxes?")) sendJson(response, 200, [sampleBox]);
      else sendJson(response, request.url === "/v1/boxes" ? 201 : 200, sampleBox);
    });
    const { boxes } = stub.client;
    expect(await boxes.create({ image: "base", name: "dev" })).toEqual(sampleBox);
    expect(await boxes.list({ status: "running" })).toEqual([sampleBox]);
    expect(await boxes.get("a/b")).toEqual(sampleBox);
    expect(await boxes.stop("dev")).toEqual(sampleBox);
    expect(await boxes.start("dev")).toEqual(sampleBox);
    await boxes.remove("dev", { force: true });
    expect(seen).toEqual([
      ["POST", "/v1/boxes", { image: "base", name: "dev" }],
      ["GET", "/v1/boxes?status=running", null],
      ["GET", "/v1/boxes/a%2Fb", null],
      ["POST", "/v1/boxes/dev:stop", null],
      ["POST", "/v1/boxes/dev:start", null],
      ["DELETE", "/v1/boxes/dev?force=true", null],
    ]);
  });

  it("reach a server over TCP, with its token", async () => {
    let seen: IncomingMessage | undefined;
    const server = createServer((request, response) => {
      seen = request;
      sendJson(response, 200, { removed: 3 });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    try {
      await using client = new BoxRunClient({ baseUrl: `http://127.0.0.1:${address.port}/`, token: "secret" });
      expect(await client.gc({ olderThanSeconds: 60 })).toBe(3);
      expect(seen?.url).toBe("/v1/gc");
      expect(seen?.headers.authorization).toBe("Bearer secret");
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it("take no offence at what only a newer server says", async () => {
    const volume = { host_path: "/h", guest_path: "/g", readonly: false };
    await using stub = await StubServer.start((_, response) =>
      sendJson(response, 200, { ...sampleBox, mood: "fine", volumes: [{ ...volume, cache: "always" }] }),
    );
    expect(await stub.client.boxes.get("dev")).toEqual({ ...sampleBox, volumes: [volume] });
  });

  it("go through a fetch of the caller's own", async () => {
    const urls: string[] = [];
    const client = new BoxRunClient({
      baseUrl: "http://example.invalid",
      fetch: async (url) => {
        urls.push(url);
        return Response.json([]);
      },
    });
    expect(await client.images.list()).toEqual([]);
    expect(urls).toEqual(["http://example.invalid/v1/images"]);
  });

  it("are given up with the signal's reason", async () => {
    await using stub = await StubServer.start((request) => void request.resume());
    const controller = new AbortController();
    const call = stub.client.boxes.create({ image: "base" }, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
  });
});

describe("refusals", () => {
  it.each([
    [404, { code: "BOX_NOT_FOUND", message: "There is no box dev" }, { code: "BOX_NOT_FOUND", status: 404 }],
    [409, { code: "RESOURCE_EXCEEDED", message: "m", details: { limit: 4 } }, { details: { limit: 4 } }],
    [400, { code: "VALIDATION_ERROR", message: "m" }, { code: "VALIDATION_ERROR", status: 400 }],
    [418, { code: "TEAPOT", message: "short and stout" }, { code: "RUNTIME_ERROR", details: { code: "TEAPOT" } }],
    [500, { code: "TEAPOT", message: "short and stout" }, { code: "INTERNAL_ERROR", details: { code: "TEAPOT" } }],
  ])("of status %i with %j become a BoxRunError", async (status, body, expected) => {
    await using stub = await StubServer.start((_, response) => sendJson(response, status, body));
    const error = await stub.client.boxes.get("dev").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(BoxRunError);
    expect(error).toMatchObject({ message: body.message, ...expected });
  });

  it("that are not BoxRun's are told apart", async () => {
    await using stub = await StubServer.start((_, response) => response.writeHead(502).end("<h1>Bad gateway</h1>"));
    await expect(stub.client.info()).rejects.toMatchObject({
      code: "INVALID_ANSWER",
      message: expect.stringContaining("502: <h1>Bad gateway"),
    });
  });

  it.each([
    ["no JSON", "hello"],
    ["another shape", '{"id": 7}'],
  ])("name an answer that is %s", async (_, text) => {
    await using stub = await StubServer.start((__, response) => response.writeHead(200).end(text));
    await expect(stub.client.boxes.get("dev")).rejects.toMatchObject({ name: "ClientError", code: "INVALID_ANSWER" });
  });
});

describe("a server that is not there", () => {
  it("is named, with the reason and what to do", async () => {
    const client = new BoxRunClient({ socketPath: "/nonexistent/boxrun.sock" });
    const error = await client.info().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ClientError);
    expect(error).toMatchObject({
      code: "CONNECTION_FAILED",
      message: expect.stringMatching(/unix:\/\/\/nonexistent\/boxrun\.sock: .*ENOENT/),
      hint: expect.stringContaining("boxrun serve"),
    });
    expect(systemCodeOf(error)).toBe("ENOENT");
  });

  it("is noticed in the middle of an answer", async () => {
    await using stub = await StubServer.start((_, response) => {
      response.writeHead(200, { "content-length": 1000 }).write("[");
      setImmediate(() => response.destroy());
    });
    await expect(stub.client.boxes.list()).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
  });
});

describe("the shape of an answer", () => {
  const odd = { ...sampleBox, cpu: "two" };

  it("is not checked again when a server on this host says that it has the same contract", async () => {
    await using stub = await StubServer.start((_, response) => {
      response.setHeader("boxrun-contract", revision);
      sendJson(response, 200, odd);
    });
    expect(await stub.client.boxes.get("dev")).toEqual(odd);
  });

  it.each([["another"], [undefined]])("is checked when the server says that it has %s contract", async (revision) => {
    await using stub = await StubServer.start((_, response) => {
      if (revision !== undefined) response.setHeader("boxrun-contract", revision);
      sendJson(response, 200, odd);
    });
    await expect(stub.client.boxes.get("dev")).rejects.toMatchObject({ code: "INVALID_ANSWER" });
  });

  it("is checked when it comes over the network, whatever the server says", async () => {
    const client = new BoxRunClient({
      baseUrl: "http://example.invalid",
      fetch: async () => Response.json(odd, { headers: { "boxrun-contract": revision } }),
    });
    await expect(client.boxes.get("dev")).rejects.toMatchObject({ code: "INVALID_ANSWER" });
  });

  it.each([
    [revision, { cpu: "two" }],
    ["another", { code: "INVALID_ANSWER" }],
  ])(
    "is not checked again by the server's own page, if that is of the server's contract: %s",
    async (theirs, outcome) => {
      const client = new BoxRunClient({
        baseUrl: "http://example.invalid",
        isOwnPage: true,
        fetch: async () => Response.json(odd, { headers: { "boxrun-contract": theirs } }),
      });
      expect(await client.boxes.get("dev").catch((error: unknown) => error)).toMatchObject(outcome);
    },
  );
});
