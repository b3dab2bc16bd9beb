import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  CallToolRequestSchema,
  type CallToolResult,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
  type ServerNotification,
  type ServerRequest,
} from "@modelcontextprotocol/sdk/types.js";
import type { BoxRunClient } from "boxrun-sdk";
import { SessionBoxes } from "./session-boxes.ts";
import { tools } from "./tools/all.ts";

export interface SessionOptions {
  readonly client: BoxRunClient;
  /** BoxRun's own. */
  readonly version: string;
  /** Boxes that the session makes go with it. */
  readonly ephemeral: boolean;
  /** Awaited before each call, for whoever can bring back a server that is gone. */
  readonly ready?: () => Promise<void>;
}

const instructions = `Boxes are real Linux virtual machines on the user's own computer, made in a second and isolated from it. Use them for whatever should not run on
that computer itself: code that nobody has read, experiments, builds, other distributions.

- One command, and nothing of it needs to stay: run.
- Several steps: box_create once, then exec, file_write, file_read and file_edit with the box's name; box_remove when it is of no use any more.
- A box has no network unless it is made with network: true, and sees no file of the computer: bring what it needs with file_write.
- Programs that run on, such as servers: exec_start, then exec_output and exec_kill.`;

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

/** What one client sees over one connection: the tools, and the boxes that it makes with them. */
export class McpSession {
  readonly #options: SessionOptions;
  readonly #server: Server;
  readonly #boxes: SessionBoxes;
  readonly #calls = new Set<Promise<unknown>>();
  readonly #closed = Promise.withResolvers<void>();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#boxes = new SessionBoxes(options.client, options);
    const about = { name: "boxrun", title: "BoxRun", version: options.version };
    this.#server = new Server(about, { capabilities: { tools: {} }, instructions });
    this.#server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: [...tools.values()].map(({ listed }) => listed),
    }));
    this.#server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) =>
      this.#tracked(this.#call(params.name, params.arguments, extra)),
    );
    this.#server.onclose = () => this.#closed.resolve();
  }

  /** Resolves when the connection is closed, by whichever end. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  connect(transport: Transport): Promise<void> {
    return this.#server.connect(transport);
  }

  /** Takes back the calls that are under way, waits for them, and removes the boxes of an ephemeral session. */
  async close(): Promise<void> {
    await this.#server.close();
    await Promise.allSettled(this.#calls);
    await this.#boxes.close();
  }

  async #call(name: string, input: unknown, extra: Extra): Promise<CallToolResult> {
    const tool = tools.get(name);
    if (tool === undefined) {
      const known = [...tools.keys()].join(", ");
      throw new McpError(ErrorCode.InvalidParams, `There is no tool ${name}; there are ${known}`);
    }
    const { client, ready } = this.#options;
    await ready?.();
    return tool.call(input, { client, boxes: this.#boxes, signal: extra.signal, progress: progressOf(extra) });
  }

  async #tracked<T>(call: Promise<T>): Promise<T> {
    this.#calls.add(call);
    try {
      return await call;
    } finally {
      this.#calls.delete(call);
    }
  }
}

/** What comes more often than this is left out. */
const progressIntervalMs = 250;

/** Sends the caller what it has asked for with a progress token; how far is counted in seconds, for nobody knows how long it takes. */
function progressOf({ _meta, signal, sendNotification }: Extra): (message: string) => void {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined) return () => undefined;
  const beganMs = performance.now();
  let saidMs = Number.NEGATIVE_INFINITY;
  return (message) => {
    const nowMs = performance.now();
    if (signal.aborted || nowMs - saidMs < progressIntervalMs) return;
    saidMs = nowMs;
    const progress = (nowMs - beganMs) / 1000;
    // Whoever has gone has no need of it.
    sendNotification({ method: "notifications/progress", params: { progressToken, progress, message } }).catch(
      () => undefined,
    );
  };
}
