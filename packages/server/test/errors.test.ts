import { connect } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { errorBodySchema, isErrorCode } from "@boxrun/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, createBox, startExec } from "./support/http.ts";
import { startTestServer, type TestServer } from "./support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const create = (body: unknown, headers: Record<string, string> = {}) =>
  ask(server, "/v1/boxes", { method: "POST", body, headers: { "content-type": "application/json", ...headers } });

function expectError(
  answer: { status: number; json: unknown },
  status: number,
  code: string,
  message?: string | RegExp,
) {
  const error = errorBodySchema.parse(answer.json);
  expect(error).toMatchObject({ code, ...(message === undefined ? {} : { message: expect.stringMatching(message) }) });
  expect(isErrorCode(error.code)).toBe(true);
  expect(answer.status).toBe(status);
}

describe("a body that does not fit", () => {
  it.each([
    [{}, /^image: is required$/],
    [{ image: "base", cpu: 0 }, /^cpu: must be a positive integer$/],
    [{ image: "base", cpu: 1.5 }, /^cpu: must be a positive integer$/],
    [{ image: "base", memory_mb: "1024" }, /^memory_mb: must be a positive integer$/],
    [{ image: "base", network: "yes" }, /^network: must be true or false$/],
    [{ image: "" }, /^image: must be at least 1 characters long$/],
    [{ image: "base", cpu: 256 }, /^cpu: must be at most 255$/],
    [{ image: "base", colour: "red" }, /^colour: is not a known field$/],
    [{ image: "base", env: { "A=B": "x" } }, /^env\.A=B: must be a variable name/],
    [{ image: "base", env: [] }, /^env: must be an object$/],
    [
      { image: "base", volumes: [{ host_path: "relative", guest_path: "/x" }] },
      /^volumes\.0\.host_path: must be an absolute path$/,
    ],
    [
      { image: "base", volumes: [{ host_path: "/does-not-exist", guest_path: "/x" }] },
      /^volumes\.0\.host_path: .* does not exist/,
    ],
    [{ image: "base", cpu: -1, name: "-" }, /^name: .*; cpu: must be a positive integer$/],
    [[], /^body: must be an object$/],
    ["text", /^body: must be an object$/],
    [null, /^body: must be an object$/],
  ])("is answered for %j with the field and the reason", async (body, message) => {
    expectError(await create(JSON.stringify(body)), 422, "VALIDATION_ERROR", message);
  });

  it.each([
    [String.raw`{"image":"base","name":"a\ud800"}`, /^name: must be text, without halves of surrogate pairs$/],
    [String.raw`{"image":"base","env":{"A":"\udc00x"}}`, /^env\.A: must be text/],
    [String.raw`{"image":"base","env":{"\ud800":"x"}}`, /^env\.\ufffd: must have a name that is text/],
    ['{"image":"base","env":{"__proto__":"x"}}', /^env\.__proto__: is no name that can be used$/],
    [String.raw`{"image":"base","env":{"\u005f_proto__":"x"}}`, /^env\.__proto__: /],
    ['{"image":"base","__proto__":{"cpu":4}}', /^__proto__: /],
    [
      String.raw`{"image":"base","volumes":[{"host_path":"/\ud800","guest_path":"/x"}]}`,
      /^volumes\.0\.host_path: must/,
    ],
    [`${"[".repeat(400_000)}"\\ud800"${"]".repeat(400_000)}`, /^(0\.){50}… *: must be text/],
  ])("is answered where text would not come through as it was meant: %.70s", async (body, message) => {
    expectError(await create(body), 422, "VALIDATION_ERROR", message);
    expect(server.core.boxes.list()).toEqual([]);
  });

  it.each(["cmd", "env"])("is answered for an exec's %s, too", async (field) => {
    const box = await createBox(server);
    const value = { cmd: String.raw`["echo","\ud83d"]`, env: String.raw`{"A":"\ud83d"}` }[field];
    const body = field === "cmd" ? `{"cmd":${value}}` : `{"cmd":["true"],"env":${value}}`;
    const headers = { "content-type": "application/json" };
    const answer = await ask(server, `/v1/boxes/${box.id}/exec`, { body, headers });
    expectError(answer, 422, "VALIDATION_ERROR", /must be text/);
    expect(server.core.execs.list(box.id).items).toEqual([]);
    await server.core.boxes.remove(box.id, { force: true });
  });

  it("leaves no box behind that keeps its name, also for an image that can't be", async () => {
    const answer = await create(JSON.stringify({ image: "Not An Image", name: "kept" }));
    expectError(answer, 422, "VALIDATION_ERROR", /^image: /);
    expect(server.core.boxes.list()).toEqual([]);
  });

  it("names no more than five fields of thousands", async () => {
    const body = Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`field${n}`, n]));
    const answer = await create(JSON.stringify({ image: "base", ...body }));
    expectError(answer, 422, "VALIDATION_ERROR", /field0: .*; field4: is not a known field; and 1995 more$/);
  });

  it.each([["{"], ["{'a':1}"], ['{"image":"base",}'], ["\u00ff\u0000"]])(
    "is answered for malformed JSON %j",
    async (body) => {
      expectError(await create(body), 422, "VALIDATION_ERROR", /^body: is not valid JSON/);
    },
  );

  it("is answered for JSON that is not UTF-8", async () => {
    const body = Buffer.concat([Buffer.from('{"image":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]);
    expectError(await create(body), 422, "VALIDATION_ERROR", /it is not UTF-8$/);
  });

  it.each([
    ["text/plain"],
    ["application/x-www-form-urlencoded"],
    ["multipart/form-data; boundary=x"],
    ["application/jsonp"],
    ["nonsense"],
  ])("is not taken as JSON when it is sent as %s", async (type) => {
    expectError(await create('{"image":"base"}', { "content-type": type }), 415, "VALIDATION_ERROR");
  });

  it("is not unpacked", async () => {
    expectError(await create('{"image":"base"}', { "content-encoding": "gzip" }), 415, "VALIDATION_ERROR");
  });

  it("is not taken without a content type", async () => {
    expectError(await ask(server, "/v1/boxes", { body: '{"image":"base"}' }), 415, "VALIDATION_ERROR");
  });

  it("of 10 MB is refused without being kept, and the connection still answers", async () => {
    const before = process.memoryUsage().arrayBuffers;
    const answer = await create(Buffer.alloc(10 * 1024 * 1024, "["));
    expectError(answer, 413, "PAYLOAD_TOO_LARGE");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30 * 1024 * 1024);
  });

  it("of 10 MB that does not say how long it is, too", async () => {
    const chunks = Array.from({ length: 160 }, () => Buffer.alloc(64 * 1024, "["));
    expectError(await create(Readable.from(chunks)), 413, "PAYLOAD_TOO_LARGE");
  });

  it("leaves no box behind", async () => {
    const before = server.core.boxes.list().length;
    await create(JSON.stringify({ image: "base", colour: "red" }));
    expect(server.core.boxes.list()).toHaveLength(before);
  });
});

describe("an id that is none", () => {
  const odd = [
    "a%2Fb",
    "..",
    "%2e%2e%2f%2e%2e",
    "%00",
    "a".repeat(1000),
    "box_%00",
    "%F0%9F%93%A6",
    "box_123456789012",
  ];

  it.each(odd)("%s is answered with 404", async (id) => {
    for (const [method, path] of [
      ["GET", `/v1/boxes/${id}`],
      ["POST", `/v1/boxes/${id}:stop`],
      ["DELETE", `/v1/boxes/${id}?force=true`],
      ["GET", `/v1/boxes/${id}/execs`],
      ["GET", `/v1/boxes/${id}/exec/x/events`],
      ["GET", `/v1/boxes/${id}/files?path=/`],
    ] as const) {
      expectError(await ask(server, path, { method }), 404, "BOX_NOT_FOUND");
    }
  });

  it.each(odd)("%s is answered with 404 as an exec", async (id) => {
    const box = await createBox(server);
    expectError(await ask(server, `/v1/boxes/${box.id}/exec/${id}`), 404, "EXEC_NOT_FOUND");
    expectError(await ask(server, `/v1/boxes/${box.id}/exec/${id}/events`), 404, "EXEC_NOT_FOUND");
    expectError(await ask(server, `/v1/boxes/${box.id}/exec/${id}:cancel`, { method: "POST" }), 404, "EXEC_NOT_FOUND");
    await server.core.boxes.remove(box.id, { force: true });
  });

  it.each(odd)("%s is answered with 404 as an image", async (id) => {
    expectError(await ask(server, `/v1/images/${id}`, { method: "DELETE" }), 404, "IMAGE_NOT_FOUND");
  });

  it("of 4,000 characters is at no address", async () => {
    expectError(await ask(server, `/v1/boxes/${"a".repeat(4000)}`), 404, "NOT_FOUND");
  });

  it("with a broken encoding is answered with 400", async () => {
    expectError(await ask(server, "/v1/boxes/%zz"), 400, "VALIDATION_ERROR", /^url: /);
    expectError(await ask(server, "/v1/boxes/%ff"), 400, "VALIDATION_ERROR", /^url: /);
  });

  it("of an exec of another box is answered with 404", async () => {
    const [one, two] = [await createBox(server), await createBox(server)];
    const exec = await startExec(server, one.id, ["true"]);
    expectError(await ask(server, `/v1/boxes/${two.id}/exec/${exec.id}`), 404, "EXEC_NOT_FOUND");
    for (const box of [one, two]) await server.core.boxes.remove(box.id, { force: true });
  });
});

describe("an action", () => {
  it.each([
    ["/v1/boxes/dev", /Missing action/],
    ["/v1/boxes/dev:", /Unknown action/],
    ["/v1/boxes/dev:explode", /Unknown action/],
    ["/v1/boxes/a:b:explode", /Unknown action/],
    ["/v1/boxes/dev/exec/x", /Missing action/],
    ["/v1/boxes/dev/exec/x:explode", /Unknown action/],
    ["/v1/images", /Missing action/],
    ["/v1/images:explode", /Unknown action/],
  ])("that is missing or unknown in %s is answered with 400", async (path, message) => {
    expectError(await ask(server, path, { method: "POST" }), 400, "VALIDATION_ERROR", message);
  });

  it("is what stands behind the last colon", async () => {
    expectError(await ask(server, "/v1/boxes/a:b:stop", { method: "POST" }), 404, "BOX_NOT_FOUND", /"a:b"/);
  });

  it("takes an empty body whatever it is called, as older clients send it", async () => {
    const box = await createBox(server);
    for (const headers of [
      { "content-type": "application/json" },
      { "content-type": "application/json", "content-length": "0" },
      {},
    ]) {
      const stopped = await ask(server, `/v1/boxes/${box.id}:stop`, { method: "POST", headers });
      expect([stopped.status, stopped.json]).toMatchObject([200, { status: "stopped" }]);
      const started = await ask(server, `/v1/boxes/${box.id}:start`, { method: "POST", headers });
      expect([started.status, started.json]).toMatchObject([200, { status: "running" }]);
    }
    await server.core.boxes.remove(box.id, { force: true });
  });
});

describe("an address that is none", () => {
  it.each([
    ["GET", "/v1/nothing"],
    ["POST", "/v1/nothing"],
    ["POST", "/v1/nothing:pull"],
    ["PUT", "/v1/boxes"],
    ["HEAD", "/v1/boxes"],
    ["OPTIONS", "/v1/boxes"],
    ["GET", "/v1/boxes/a/b"],
    ["GET", "//v1/boxes"],
  ])("%s %s is answered with 404", async (method, path) => {
    const answer = await ask(server, path, { method });
    expect(answer.status).toBe(404);
    if (method !== "HEAD") expectError(answer, 404, "NOT_FOUND");
  });

  it.each([
    ["/v1/boxes?status=asleep", /^status: must be one of creating, running, stopped, error, all$/],
    ["/v1/boxes?colour=red", /^colour: is not a known field$/],
    ["/v1/boxes?status=running&status=stopped", /^status: must be one of/],
    ["/v1/boxes/dev/files", /^path: is required$/],
    ["/v1/boxes/dev/files?path=etc", /^path: must be an absolute path$/],
    ["/v1/boxes/dev/exec/x/events?after=-1", /^after: must be at least 0$/],
    ["/v1/boxes/dev/exec/x/events?after=x", /^after: must be a number$/],
  ])("has its query checked: %s", async (path, message) => {
    expectError(await ask(server, path), 422, "VALIDATION_ERROR", message);
  });
});

describe("what is no HTTP", () => {
  const talk = async (bytes: string) => {
    const socket = connect(server.http.socketPath);
    socket.end(bytes);
    return await text(socket);
  };

  it("is answered in the same shape", async () => {
    const answer = await talk("hello\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('{"code":"VALIDATION_ERROR","message":"request: it is not valid HTTP"}');
  });

  it("is answered for headers that are too large", async () => {
    const answer = await talk(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"a".repeat(100_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toContain('"code":"VALIDATION_ERROR"');
  });
});

describe("an error inside the server", () => {
  it("tells the caller the request's id and nothing else, and the log everything", async () => {
    const box = await createBox(server);
    const { gc } = server.core;
    server.core.gc = async () => {
      throw new Error("the secret cause");
    };
    const answer = await ask(server, "/v1/gc", { body: {} });
    server.core.gc = gc;
    expectError(answer, 500, "INTERNAL_ERROR");
    expect(answer.text).not.toContain("secret");
    expect(answer.text).toContain(String(answer.headers["x-request-id"]));
    expect(server.log()).toContainEqual(
      expect.objectContaining({
        level: "error",
        req_id: answer.headers["x-request-id"],
        err: expect.objectContaining({ message: "the secret cause" }),
      }),
    );
    await server.core.boxes.remove(box.id, { force: true });
  });
});

describe("the core's errors", () => {
  it("keep their code, status and details", async () => {
    const box = await createBox(server, { name: "taken" });
    expectError(await create(JSON.stringify({ image: "base", name: "taken" })), 409, "NAME_ALREADY_EXISTS");
    expectError(await create(JSON.stringify({ image: "base", cpu: 200 })), 409, "RESOURCE_EXCEEDED");
    expectError(await create(JSON.stringify({ image: "nothing:here" })), 400, "IMAGE_PULL_FAILED", /manifest unknown/);
    expectError(await ask(server, `/v1/boxes/${box.id}`, { method: "DELETE" }), 409, "BOX_ALREADY_RUNNING");
    expectError(await ask(server, `/v1/boxes/${box.id}:start`, { method: "POST" }), 409, "BOX_ALREADY_RUNNING");
    await server.core.boxes.stop(box.id);
    expectError(await ask(server, `/v1/boxes/${box.id}/exec`, { body: { cmd: ["true"] } }), 400, "BOX_NOT_RUNNING");
    expectError(await ask(server, "/v1/images/base", { method: "DELETE" }), 422, "VALIDATION_ERROR");
    await server.core.boxes.remove(box.id, { force: true });
  });
});
