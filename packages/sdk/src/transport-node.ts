import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import type { FetchBody, FetchInit, FetchResponse, Transport, TransportOptions } from "./transport.ts";

/** How long a connection may take to come about. For answers there is no limit: a `run` or a pull may take its time. */
const connectMs = 10_000;

/**
 * node:http, which knows Unix sockets, has no deadline of its own for an answer (Node's fetch has one of 5 minutes), and loads in a
 * tenth of undici's time: every start of the CLI waits for it. Taken as a built-in and not imported, because an import reads
 * all its exports, and among them are getters that load undici.
 */
export function openTransport({ socketPath }: TransportOptions): Transport {
  const agents = new Map<string, Agent>();
  const underWay = new Set<Promise<void>>();
  const agentFor = (protocol: string): { readonly agent: Agent; readonly http: HttpModule } => {
    const http = protocol === "https:" ? builtin("node:https") : builtin("node:http");
    const agent = agents.get(protocol) ?? new http.Agent({ keepAlive: true });
    agents.set(protocol, agent);
    return { agent, http };
  };
  return {
    fetch: (url, init) => {
      const { protocol } = new URL(url);
      const send = (): Promise<FetchResponse> => {
        const { agent, http } = agentFor(protocol);
        const options: RequestOptions = { method: init.method, headers: init.headers, agent };
        if (socketPath !== undefined) options.socketPath = socketPath;
        const request = http.request(url, options);
        giveUpWith(request, init.signal);
        const closed = new Promise<void>((resolve) => request.once("close", resolve));
        underWay.add(closed);
        void closed.then(() => underWay.delete(closed));
        return exchange(request, init).catch((error: unknown) => {
          // An idle connection that the other side has given up meanwhile. What only asks may ask again.
          if (request.reusedSocket && init.method === "GET" && !init.signal?.aborted) return send();
          throw error;
        });
      };
      return send();
    },
    close: async () => {
      await Promise.all(underWay);
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

type HttpModule = Pick<typeof import("node:http"), "request" | "Agent">;

function builtin(name: "node:http" | "node:https"): HttpModule {
  return name === "node:http" ? process.getBuiltinModule("node:http") : process.getBuiltinModule("node:https");
}

/** Resolves with the answer's head; that may come before the body is sent, and ends the sending then. */
function exchange(request: ClientRequest, init: FetchInit): Promise<FetchResponse> {
  return new Promise((resolve, reject) => {
    // It goes on listening: when the answer is here, what becomes of the request is nobody's business any more.
    request.on("error", reject);
    request.once("response", (response) => {
      response.once("end", () => {
        if (!request.writableFinished) request.destroy();
      });
      resolve(new NodeResponse(response));
    });
    limitConnecting(request);
    send(request, init.body).catch((error: unknown) => {
      reject(error);
      request.destroy();
    });
  });
}

/** Not by the request's own option: with Deno's, an abort when the answer has come is an error that nobody can catch. */
function giveUpWith(request: ClientRequest, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  let underWay: ClientRequest | IncomingMessage = request;
  const giveUp = () => {
    const { reason }: { readonly reason: unknown } = signal;
    underWay.destroy(reason instanceof Error ? reason : new Error(String(reason)));
  };
  const forget = () => signal.removeEventListener("abort", giveUp);
  request.once("close", forget).once("response", (response) => {
    underWay = response.once("end", forget);
  });
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
}

function limitConnecting(request: ClientRequest): void {
  request.once("socket", (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => request.destroy(new Error(`no connection within ${connectMs / 1000} s`)), connectMs);
    const stop = () => clearTimeout(timer);
    socket.once("connect", stop).once("close", stop);
  });
}

/** Goes no faster than the server takes it. */
async function send(request: ClientRequest, body: FetchBody | undefined): Promise<void> {
  if (body === undefined || typeof body === "string") {
    request.end(body);
    return;
  }
  if (body instanceof Blob) request.setHeader("content-length", body.size);
  const stream = body instanceof Blob ? body.stream() : body;
  const reader = stream.getReader();
  // Else a source that has nothing to say just now would keep us.
  request.once("close", () => void reader.cancel().catch(() => undefined));
  for (;;) {
    const { done, value } = await reader.read();
    if (request.destroyed) return;
    if (done) break;
    if (!request.write(value)) await drained(request);
  }
  request.end();
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      request.off("drain", done).off("close", done);
      resolve();
    };
    request.on("drain", done).on("close", done);
  });
}

class NodeResponse implements FetchResponse {
  readonly #message: IncomingMessage;

  constructor(message: IncomingMessage) {
    this.#message = message;
    // Who reads is told by the iterator; who does not read does not mind.
    message.on("error", () => undefined);
  }

  get status(): number {
    return this.#message.statusCode ?? 0;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  get headers(): FetchResponse["headers"] {
    const { headers } = this.#message;
    return { get: (name) => headers[name.toLowerCase()]?.toString() ?? null };
  }

  /** Leaving a loop over it hangs up. */
  get body(): AsyncIterable<Uint8Array> {
    return this.#message;
  }

  async text(): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.body) chunks.push(chunk);
    return Buffer.concat(chunks).toString("utf8");
  }
}
