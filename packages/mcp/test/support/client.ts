import { startTestServer, type TestServer } from "@boxrun/server/testing";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { boxrunPath } from "./boxrun.ts";

type CallOptions = Parameters<Client["callTool"]>[2];

/** The protocol's own client, on a server with everything real but the VMs. */
export class TestClient implements AsyncDisposable {
  readonly server: TestServer;
  readonly client: Client;
  readonly #transport: Transport;
  /** Requests over HTTP that are not answered yet. */
  readonly #pending: ReadonlySet<Promise<unknown>>;

  private constructor(
    server: TestServer,
    client: Client,
    transport: Transport,
    pending: ReadonlySet<Promise<unknown>>,
  ) {
    this.server = server;
    this.client = client;
    this.#transport = transport;
    this.#pending = pending;
  }

  /** `boxrun mcp`, as an editor starts it. */
  static async overStdio(server: TestServer, ...args: readonly string[]): Promise<TestClient> {
    const env = { PATH: process.env.PATH ?? "", BOXRUN_STATE_DIR: server.stateDir };
    const command = { command: process.execPath, args: [boxrunPath, "mcp", ...args], env };
    return TestClient.#connect(server, new StdioClientTransport(command));
  }

  /** `/mcp` of the server itself. */
  static async overHttp(server: TestServer, query = ""): Promise<TestClient> {
    // As everywhere with exactOptionalPropertyTypes: the class says `| undefined` where its interface does not.
    const pending = new Set<Promise<unknown>>();
    const transport = new StreamableHTTPClientTransport(httpUrl(server, query), {
      fetch: (...request) => {
        const answer = fetch(...request);
        const over: Promise<unknown> = answer.then(
          () => pending.delete(over),
          () => pending.delete(over),
        );
        pending.add(over);
        return answer;
      },
    });
    return TestClient.#connect(server, transport as Transport, pending);
  }

  static async #connect(
    server: TestServer,
    transport: Transport,
    pending: ReadonlySet<Promise<unknown>> = new Set(),
  ): Promise<TestClient> {
    const client = new Client({ name: "test", version: "1" });
    await client.connect(transport);
    // It checks what is answered against the schemas that it has listed.
    await client.listTools();
    return new TestClient(server, client, transport, pending);
  }

  async call(name: string, input: Record<string, unknown> = {}, options?: CallOptions): Promise<CallToolResult> {
    return CallToolResultSchema.parse(
      await this.client.callTool({ name, arguments: input }, CallToolResultSchema, options),
    );
  }

  /** The structured answer of a call that has to go well. */
  async done(
    name: string,
    input: Record<string, unknown> = {},
    options?: CallOptions,
  ): Promise<Record<string, unknown>> {
    const result = await this.call(name, input, options);
    if (result.isError) throw new Error(`${name}: ${textOf(result)}`);
    return result.structuredContent ?? {};
  }

  /** The text of a call that has to fail. */
  async refused(name: string, input: Record<string, unknown> = {}): Promise<string> {
    const result = await this.call(name, input);
    if (!result.isError) throw new Error(`${name} went well: ${textOf(result)}`);
    return textOf(result);
  }

  /** Until the server has heard what was said before: over HTTP each message goes its own way. */
  async heard(): Promise<void> {
    await this.client.ping();
    await Promise.all(this.#pending);
  }

  /** Ends the session as its client does. */
  async end(): Promise<void> {
    if (this.#transport instanceof StreamableHTTPClientTransport) await this.#transport.terminateSession();
    await this.client.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    await this.server[Symbol.asyncDispose]();
  }
}

export function httpUrl({ http }: TestServer, query = ""): URL {
  if (http.tcp === null) throw new Error("the server has no TCP");
  return new URL(`http://127.0.0.1:${http.tcp.port}/mcp${query}`);
}

export function textOf({ content }: CallToolResult): string {
  return content.map((part) => (part.type === "text" ? part.text : `<${part.type}>`)).join("\n");
}

export { startTestServer };
