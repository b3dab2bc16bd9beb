import { once } from "node:events";
import { createServer, request, type Server } from "node:http";

/** A reverse proxy on loopback: passes on what is below a path, under the name that it was called by. */
export class TestProxy implements AsyncDisposable {
  readonly port: number;
  /** Where the server is; set it once that is known. */
  upstreamPort = 0;
  readonly #server: Server;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async start(path: string): Promise<TestProxy> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy has no port");
    const proxy = new TestProxy(server, address.port);
    server.on("request", (incoming, answer) => {
      if (!incoming.url?.startsWith(`${path}/`)) {
        answer.writeHead(404).end();
        return;
      }
      const { method, headers, url } = incoming;
      const onward = request({ host: "127.0.0.1", port: proxy.upstreamPort, path: url, method, headers });
      onward.on("response", (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        answer.flushHeaders();
        response.pipe(answer);
        response.on("error", () => answer.destroy());
      });
      onward.on("error", () => answer.destroy());
      answer.on("close", () => onward.destroy());
      incoming.pipe(onward);
    });
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
