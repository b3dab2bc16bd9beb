import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BoxRunClient } from "../../src/index.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse, nth: number) => void;

/** A real HTTP server on a Unix socket that answers what the test says; `nth` counts requests from 1. */
export class StubServer implements AsyncDisposable {
  readonly socketPath: string;
  readonly client: BoxRunClient;
  /** How many there were, without those for its health that come behind another. */
  requests = 0;
  /** Whether it says that a request with a key is done once, when somebody asks behind another request. */
  knowsKeys = true;
  readonly #server: Server;
  readonly #dir: string;

  private constructor(dir: string, server: Server) {
    this.#dir = dir;
    this.#server = server;
    this.socketPath = join(dir, "s.sock");
    this.client = new BoxRunClient({ socketPath: this.socketPath });
  }

  static async start(handler: Handler): Promise<StubServer> {
    const server = createServer((request, response) => {
      if (request.url === "/healthz" && stub.requests > 0) {
        sendJson(response, 200, { status: "ok", version: "0.0.1", ...(stub.knowsKeys && { idempotency_keys: true }) });
        return;
      }
      stub.requests += 1;
      handler(request, response, stub.requests);
    });
    const stub = new StubServer(await mkdtemp(join(tmpdir(), "br-sdk-")), server);
    await stub.listen();
    return stub;
  }

  async listen(): Promise<void> {
    this.#server.listen(this.socketPath);
    await once(this.#server, "listening");
  }

  /** Like a crash: every connection ends at once, and nobody answers until `listen`. */
  async drop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drop();
    await this.client[Symbol.asyncDispose]();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function toArray<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export const sampleBox = {
  id: "box_abcdefghijkl",
  name: "dev",
  status: "running",
  image: "base",
  cpu: 2,
  memory_mb: 1024,
  disk_size_gb: 8,
  network: false,
  workdir: "/root",
  env: null,
  volumes: null,
  boxlite_id: null,
  error_code: null,
  error_message: null,
  created_at: "2025-01-01T00:00:00.000Z",
  started_at: "2025-01-01T00:00:01.000Z",
  stopped_at: null,
  engine: "qemu",
  image_digest: null,
} as const;
