import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { isInitializeRequest } from "@modelcontextprotocol/sdk/types.js";
import type { BoxRunClient } from "boxrun-sdk";
import { McpSession } from "./session.ts";

export interface McpHttpOptions {
  readonly client: BoxRunClient;
  readonly version: string;
  /** More than so many, and the one that was quiet for longest ends. Default 64. */
  readonly maxSessions?: number;
  /** A session of which nothing is heard for so long ends. Default an hour. */
  readonly idleMs?: number;
}

export interface McpRequest {
  /** Parsed; `undefined` where the method has none. */
  readonly body: unknown;
  /** Of the session that this request begins, if it does. */
  readonly ephemeral: boolean;
}

interface OpenSession {
  readonly id: string;
  readonly session: McpSession;
  readonly transport: StreamableHTTPServerTransport;
  /** Answers that are not at their end: a session in which something goes on is not idle. */
  answering: number;
  lastMs: number;
  timer: NodeJS.Timeout | undefined;
}

/** What the protocol answers for a session that is not there; the client then begins another one. */
const noSuchSession = {
  status: 404,
  code: -32_001,
  message: "There is no such session (any more): initialize a new one",
};
const sessionNeeded = {
  status: 400,
  code: -32_000,
  message: "Mcp-Session-Id is missing: a session begins with an initialize request, whose answer has it",
};

/** Sessions over the protocol's streamable HTTP. Who may call is asked before. */
export class McpHttp {
  readonly #options: McpHttpOptions;
  readonly #sessions = new Map<string, OpenSession>();
  readonly #ending = new Set<Promise<void>>();

  constructor(options: McpHttpOptions) {
    this.#options = options;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Answers one request; resolves when the answer is at its end. */
  async handle(request: IncomingMessage, response: ServerResponse, { body, ephemeral }: McpRequest): Promise<void> {
    const id = request.headers["mcp-session-id"];
    const begins = id === undefined && beginsSession(body);
    const open = begins ? await this.#begin(ephemeral) : this.#sessions.get(String(id));
    if (open === undefined) return refuse(response, id === undefined ? sessionNeeded : noSuchSession);
    clearTimeout(open.timer);
    open.answering += 1;
    try {
      await open.transport.handleRequest(request, response, body);
      if (!response.writableFinished && !response.destroyed)
        await new Promise<void>((resolve) => response.once("close", resolve));
    } finally {
      open.answering -= 1;
      this.#rest(open);
    }
  }

  /** Ends every session. */
  async close(): Promise<void> {
    for (const open of this.#sessions.values()) this.#end(open);
    await Promise.all(this.#ending);
  }

  async #begin(ephemeral: boolean): Promise<OpenSession> {
    const { client, version, maxSessions = 64 } = this.#options;
    if (this.#sessions.size >= maxSessions) this.#endQuietest();
    const id = randomUUID();
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => id });
    const session = new McpSession({ client, version, ephemeral });
    // exactOptionalPropertyTypes: the class says `| undefined` where its interface does not.
    await session.connect(transport as Parameters<typeof session.connect>[0]);
    const open: OpenSession = { id, session, transport, answering: 0, lastMs: performance.now(), timer: undefined };
    this.#sessions.set(id, open);
    session.closed.then(() => this.#end(open));
    return open;
  }

  /** From here on it is idle, unless something still goes on. */
  #rest(open: OpenSession): void {
    open.lastMs = performance.now();
    if (open.answering > 0 || !this.#sessions.has(open.id)) return;
    clearTimeout(open.timer);
    // Its first request was refused: nobody has been told of it.
    if (open.transport.sessionId === undefined) this.#end(open);
    else open.timer = setTimeout(() => this.#end(open), this.#options.idleMs ?? 3_600_000).unref();
  }

  #endQuietest(): void {
    const all = [...this.#sessions.values()];
    const idle = all.filter(({ answering }) => answering === 0);
    const [quietest] = (idle.length > 0 ? idle : all).sort((one, other) => one.lastMs - other.lastMs);
    if (quietest !== undefined) this.#end(quietest);
  }

  #end(open: OpenSession): void {
    clearTimeout(open.timer);
    if (!this.#sessions.delete(open.id)) return;
    const ended = open.session
      .close()
      .catch(() => undefined)
      .finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}

function beginsSession(body: unknown): boolean {
  return Array.isArray(body) ? body.some(isInitializeRequest) : isInitializeRequest(body);
}

function refuse(
  response: ServerResponse,
  { status, code, message }: { readonly status: number; readonly code: number; readonly message: string },
): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ jsonrpc: "2.0", error: { code, message }, id: null }));
}
