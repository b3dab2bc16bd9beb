import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "./support/server.ts";

const token = "s3cret-t0ken-of-the-tests";
const publicName = "boxes.example.org";

/** As Caddy does by default it leaves `Host` alone, or as nginx does without `proxy_set_header` it writes its own; this user's, like the server. */
class ReverseProxy implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(upstream: TestServer, { keepsHost }: { readonly keepsHost: boolean }): Promise<ReverseProxy> {
    const { tcp } = upstream.http;
    const target = { host: tcp?.host, port: tcp?.port };
    const passOn = (message: IncomingMessage) => {
      const headers = { ...message.headers, ...(keepsHost ? {} : { host: `${tcp?.host}:${tcp?.port}` }) };
      return request({ ...target, method: message.method, path: message.url, headers });
    };
    const server = createServer((message, response) => {
      const passed = passOn(message).on("response", (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(response);
      });
      message.pipe(passed);
    });
    server.on("upgrade", (message, socket) => {
      const passed = passOn(message);
      const answered = (answer: IncomingMessage) => socket.end(`HTTP/1.1 ${answer.statusCode} x\r\n\r\n`);
      passed.on("upgrade", (answer, other) => {
        other.destroy();
        answered(answer);
      });
      passed.on("response", answered).end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ReverseProxy(server);
  }

  /** The status that a caller of the public name gets. */
  async status(path: string, headers: Readonly<Record<string, string>> = {}): Promise<number | undefined> {
    const address = this.#server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const sent = request({ host: "127.0.0.1", port, path, headers: { host: publicName, ...headers } });
    const answered = Promise.race([once(sent, "response"), once(sent, "upgrade")]);
    sent.end();
    const [answer]: IncomingMessage[] = await answered;
    answer?.resume();
    return answer?.statusCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

const withToken = { authorization: `Bearer ${token}` };
const page = { origin: `https://${publicName}` };
const terminal = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
};

describe.each([{ keepsHost: true }, { keepsHost: false }])("behind a reverse proxy, %j", (how) => {
  let named: TestServer;
  let unnamed: TestServer;
  let proxy: ReverseProxy;
  let unnamedProxy: ReverseProxy;
  beforeAll(async () => {
    named = await startTestServer({ token, allowedHosts: [publicName] });
    unnamed = await startTestServer({ token });
    proxy = await ReverseProxy.start(named, how);
    unnamedProxy = await ReverseProxy.start(unnamed, how);
  });
  afterAll(async () => {
    for (const one of [proxy, unnamedProxy, named, unnamed]) await one[Symbol.asyncDispose]();
  });

  it("whoever has the token is let in under the public name, with or without the setting", async () => {
    expect(await proxy.status("/v1/boxes", withToken)).toBe(200);
    expect(await unnamedProxy.status("/v1/boxes", withToken)).toBe(200);
  });

  it("the server's own page may call, and open a terminal, with the token", async () => {
    expect(await proxy.status("/v1/boxes", { ...withToken, ...page })).toBe(200);
    expect(await proxy.status("/v1/boxes/nope/attach", { ...withToken, ...page, ...terminal })).toBe(404);
  });

  it("pages of others may not, with or without it", async () => {
    for (const origin of ["https://evil.example", `https://evil.${publicName}`, `https://${publicName}:444`, "null"]) {
      expect(await proxy.status("/v1/boxes", { ...withToken, origin })).toBe(403);
      expect(await proxy.status("/v1/boxes/nope/attach", { ...withToken, ...terminal, origin })).toBe(403);
    }
  });
});

describe("the public name", () => {
  it("asks for the token also where the proxy runs as the server's own user", async () => {
    await using server = await startTestServer({ token, allowedHosts: [publicName] });
    await using proxy = await ReverseProxy.start(server, { keepsHost: true });
    expect(await proxy.status("/v1/boxes")).toBe(401);
    expect(await proxy.status("/v1/boxes", page)).toBe(401);
    expect(await proxy.status("/v1/boxes", { authorization: "Bearer wrong" })).toBe(401);
    expect(await proxy.status("/v1/boxes", { host: `${publicName}:443` })).toBe(401);
    // Another name is nobody's who has no token: a page that was sent here under a name of its own.
    expect(await proxy.status("/v1/boxes", { host: "evil.example" })).toBe(403);
  });

  it("is refused without the setting and without the token", async () => {
    await using server = await startTestServer({ token });
    await using proxy = await ReverseProxy.start(server, { keepsHost: true });
    expect(await proxy.status("/v1/boxes")).toBe(403);
  });
});
