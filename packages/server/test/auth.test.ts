import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ask, ask, createBox } from "./support/http.ts";
import { startTestServer, type TestServer } from "./support/server.ts";

const token = "s3cret-t0ken-of-the-tests";
let open: TestServer;
let guarded: TestServer;
let exposed: TestServer;
beforeAll(async () => {
  open = await startTestServer();
  guarded = await startTestServer({ token });
  exposed = await startTestServer({ token, tcp: { host: "0.0.0.0", port: 0 } });
});
afterAll(async () => {
  for (const server of [open, guarded, exposed]) await server[Symbol.asyncDispose]();
});

const status = async (server: TestServer, path: string, options: Ask = {}) =>
  (await ask(server, path, { via: "tcp", ...options })).status;
const bearer = (value: string) => ({ headers: { authorization: value } });

/** Sends raw bytes over TCP as another user, with nothing but a shell. */
async function askAs(uid: number, server: TestServer, request: string, after = "cat <&3"): Promise<string> {
  const script = `exec 3<>"/dev/tcp/$1/$2"; printf %s "$3" >&3; ${after}`;
  const { tcp } = server.http;
  const child = spawn("bash", ["-c", script, "bash", "127.0.0.1", String(tcp?.port), request], {
    uid,
    cwd: "/",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [answer] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return answer;
}
const plainRequest = (path: string, headers: string[] = [], method = "GET") =>
  [`${method} ${path} HTTP/1.1`, "Host: localhost", "Connection: close", ...headers, "", ""].join("\r\n");

describe("the Unix socket", () => {
  it("takes whoever may open it, also when the server has a token", async () => {
    expect(await status(guarded, "/v1/boxes", { via: "unix" })).toBe(200);
  });
});

describe("loopback TCP", () => {
  it("takes the user that runs the server, without a token", async () => {
    expect(await status(open, "/v1/boxes")).toBe(200);
    expect(await status(guarded, "/v1/boxes")).toBe(200);
  });

  it("takes that user over an IPv6 socket that speaks IPv4", async () => {
    const socket = connect({ host: "::ffff:127.0.0.1", port: open.http.tcp?.port ?? 0 });
    socket.write(plainRequest("/v1/boxes"));
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it("takes that user over IPv6", async () => {
    await using server = await startTestServer({ tcp: { host: "::1", port: 0 } });
    expect(await status(server, "/v1/boxes")).toBe(200);
  });

  it("takes that user on one connection again and again", async () => {
    const socket = connect({ host: "127.0.0.1", port: open.http.tcp?.port ?? 0 });
    const request = "GET /v1/boxes HTTP/1.1\r\nHost: localhost\r\n\r\n";
    socket.write(request.repeat(20) + plainRequest("/v1/boxes"));
    expect((await text(socket)).match(/HTTP\/1\.1 200 /g)).toHaveLength(21);
  });

  describe.runIf(process.getuid?.() === 0)("from another user (needs root)", () => {
    const other = 65_534;

    it("is refused without a token", async () => {
      const answer = await askAs(other, open, plainRequest("/v1/boxes"));
      expect(answer).toMatch(/^HTTP\/1\.1 401 /);
      expect(answer).toMatch(/^www-authenticate: Bearer\r$/im);
      expect(answer).toContain('"code":"UNAUTHORIZED"');
      expect(answer).toContain("user 65534 is not the user that runs the server");
    });

    it.each([
      ["the token", `Authorization: Bearer ${token}`, 200],
      ["the token in other letters", `authorization: bearer ${token}`, 200],
      ["another token", "Authorization: Bearer nonsense", 401],
      ["a longer one", `Authorization: Bearer ${token}x`, 401],
      ["none", "Authorization: Bearer ", 401],
      ["another scheme", `Authorization: Basic ${token}`, 401],
    ])("is judged by %s", async (_, header, expected) => {
      expect(await askAs(other, guarded, plainRequest("/v1/boxes", [header]))).toMatch(
        new RegExp(`^HTTP/1.1 ${expected} `),
      );
    });

    it("is refused with the token in the query", async () => {
      for (const name of ["token", "access_token", "authorization"]) {
        expect(await askAs(other, guarded, plainRequest(`/v1/info?${name}=${token}`))).toMatch(/^HTTP\/1\.1 401 /);
      }
    });

    it("is refused for what there is not, as for what there is", async () => {
      for (const path of ["/nothing", "/uix", "/metrics", "/openapi.json", "/v1/boxes/x", "/healthzz"]) {
        expect(await askAs(other, open, plainRequest(path))).toMatch(/^HTTP\/1\.1 401 /);
      }
    });

    it("is told that the server is there", async () => {
      expect(await askAs(other, open, plainRequest("/healthz"))).toMatch(/^HTTP\/1\.1 200 /);
    });

    it("can't pass for root by closing before anybody looks", async () => {
      const before = open.core.boxes.list().length;
      // So long that the server has not read that the caller is gone when it looks who the caller is.
      const body = '{"image":"base"}'.padEnd(100_000);
      const request = [
        "POST /v1/boxes HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        `Content-Length: ${body.length}`,
        "",
        body,
      ].join("\r\n");
      const creates = () => open.log().filter((line) => line.method === "POST" && line.path === "/v1/boxes").length;
      const seen = creates();
      for (let attempt = 0; attempt < 20; attempt += 1) await askAs(other, open, request, "exec 3>&-");
      await expect.poll(() => creates() - seen).toBe(20);
      const ours = await createBox(open);
      expect(open.core.boxes.list()).toHaveLength(before + 1);
      await open.core.boxes.remove(ours.id, { force: true });
    });
  });
});

describe("any other address", () => {
  it("needs the token, also from the same user and over loopback", async () => {
    expect(await status(exposed, "/v1/boxes")).toBe(401);
    expect(await status(exposed, "/v1/boxes", bearer(`Bearer ${token}`))).toBe(200);
  });

  it("is not listened on without a token", async () => {
    for (const host of ["0.0.0.0", "::"]) {
      await expect(startTestServer({ tcp: { host, port: 0 } })).rejects.toThrow(
        `Cannot listen on ${host} without a token: anyone who reaches it could run commands. Set BOXRUN_TOKEN`,
      );
    }
  });
});

describe("a web page", () => {
  it.each([
    ["localhost", 200],
    ["LOCALHOST:9090", 200],
    ["127.0.0.1", 200],
    ["127.0.0.1:1234", 200],
    ["[::1]:9090", 200],
    ["evil.example", 403],
    ["evil.example:9090", 403],
    ["localhost.evil.example", 403],
    ["localhost@evil.example", 403],
    ["127.0.0.1.evil.example", 403],
    ["127.0.0.2", 403],
    ["[::2]", 403],
  ])("under the Host %j gets %i", async (host, expected) => {
    for (const path of ["/v1/boxes", "/healthz"]) {
      const answer = await ask(open, path, { via: "tcp", headers: { host } });
      expect(answer.status).toBe(expected);
      if (expected === 403) expect(answer.json).toMatchObject({ code: "FORBIDDEN" });
    }
  });

  it.each([
    ["http://localhost:9090", 200],
    ["https://localhost:9090", 200],
    ["http://localhost:3000", 403],
    ["http://localhost", 403],
    ["http://127.0.0.1:9090", 403],
    ["http://evil.example", 403],
    ["null", 403],
    ["", 403],
  ])("of the origin %j gets %i from localhost:9090", async (origin, expected) => {
    for (const via of ["tcp", "unix"] as const) {
      const answer = await ask(open, "/v1/boxes", { via, headers: { host: "localhost:9090", origin } });
      expect(answer.status).toBe(expected);
    }
  });

  it("may not even send what needs no answer", async () => {
    const before = open.core.boxes.list().length;
    const answer = await ask(open, "/v1/boxes", {
      via: "tcp",
      body: '{"image":"base"}',
      headers: { "content-type": "text/plain", origin: "http://evil.example" },
    });
    expect(answer.status).toBe(403);
    expect(open.core.boxes.list()).toHaveLength(before);
  });

  it.each([["GET /v1/boxes HTTP/1.0\r\n\r\n"], ["GET /v1/boxes HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"]])(
    "without a Host gets 403: %j",
    async (request) => {
      const socket = connect({ host: "127.0.0.1", port: open.http.tcp?.port ?? 0 });
      socket.write(request);
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 403 /);
    },
  );

  it("calls a server on all addresses by the one that it reached", async () => {
    expect(await status(exposed, "/healthz", { headers: { host: "127.0.0.1:1" } })).toBe(200);
    expect(await status(exposed, "/healthz", { headers: { host: "10.9.8.7" } })).toBe(403);
  });

  it("that is none, but a client on the Unix socket, may use any Host", async () => {
    expect(await status(open, "/v1/boxes", { via: "unix", headers: { host: "whatever" } })).toBe(200);
  });
});

describe("secrets", () => {
  it("are not in the log", async () => {
    await ask(guarded, `/v1/info?token=${token}`, {
      via: "tcp",
      headers: { authorization: `Bearer ${token}`, cookie: `t=${token}` },
    });
    await createBox(guarded, { env: { KEY: token } });
    await ask(guarded, "/v1/boxes", {
      body: `{"image":"base","env":{"KEY":"${token}"`,
      headers: { "content-type": "application/json" },
    });
    guarded.logger.info({ authorization: token, request: { headers: { cookie: token } } }, "careless");
    expect(guarded.rawLog()).toContain("[redacted]");
    expect(guarded.rawLog()).not.toContain(token);
  });
});
