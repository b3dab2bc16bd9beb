import { once } from "node:events";
import { connect } from "node:net";
import { WebSocket } from "ws";
import { read } from "./http.ts";
import type { TestServer } from "./server.ts";

interface AttachOptions {
  readonly via?: "unix" | "tcp";
  readonly headers?: Record<string, string>;
}

/** A client of the attach protocol that does no more than it is told to. */
export class TestClient {
  readonly socket: WebSocket;
  readonly messages: unknown[] = [];
  #text = "";
  #bytes = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("message", (data, isBinary) => {
      if (!isBinary) this.messages.push(JSON.parse(String(data)));
      else {
        if (Buffer.isBuffer(data)) this.#bytes += data.length;
        this.#text = (this.#text + String(data)).slice(-100_000);
      }
    });
  }

  static async attach(
    server: Pick<TestServer, "http">,
    path: string,
    options: AttachOptions = {},
  ): Promise<TestClient> {
    const client = new TestClient(open(server, path, options));
    await once(client.socket, "open");
    return client;
  }

  /** Bytes of output that have come. */
  get bytes(): number {
    return this.#bytes;
  }

  type(text: string): void {
    this.socket.send(Buffer.from(text));
  }

  /** Resolves once the output contains that. */
  async until(text: string): Promise<void> {
    while (!this.#text.includes(text)) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`closed without ${text}: ${this.#text}`);
      await Promise.race([once(this.socket, "message"), once(this.socket, "close")]);
    }
  }

  /** The text frames, when the server has closed, and its close code. */
  async closed(): Promise<{ readonly messages: unknown[]; readonly code: number }> {
    let code = 1006;
    this.socket.once("close", (given) => {
      code = given;
    });
    if (this.socket.readyState !== WebSocket.CLOSED) await once(this.socket, "close");
    return { messages: this.messages, code };
  }
}

/** The answer that refuses a WebSocket. */
export async function refusal(server: Pick<TestServer, "http">, path: string, options: AttachOptions = {}) {
  const socket = open(server, path, options);
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof read>>>();
  socket.once("unexpected-response", (_request, response) => read(response).then(resolve, reject));
  socket.once("error", reject).once("open", () => reject(new Error(`${path} was accepted`)));
  return await promise;
}

function open(server: Pick<TestServer, "http">, path: string, { via, headers = {} }: AttachOptions): WebSocket {
  const { socketPath, tcp } = server.http;
  if (via === "tcp") return new WebSocket(`ws://127.0.0.1:${tcp?.port}${path}`, { headers });
  return new WebSocket(`ws://localhost${path}`, { headers, createConnection: () => connect(socketPath) });
}
