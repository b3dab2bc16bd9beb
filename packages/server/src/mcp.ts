import type { McpHttp } from "@boxrun/mcp";

export interface McpOptions {
  /** The server's own: tools call it as every client does. */
  readonly socketPath: string;
  readonly version: string;
}

/** The Model Context Protocol at /mcp; what speaks it is loaded when somebody does. */
export class Mcp {
  readonly #options: McpOptions;
  #opened: Promise<{ readonly http: McpHttp; readonly close: () => Promise<void> }> | undefined;

  constructor(options: McpOptions) {
    this.#options = options;
  }

  async handle(...request: Parameters<McpHttp["handle"]>): Promise<void> {
    this.#opened ??= this.#open();
    const { http } = await this.#opened;
    await http.handle(...request);
  }

  /** Ends the sessions, and what they leave. */
  async close(): Promise<void> {
    await (await this.#opened)?.close();
  }

  async #open() {
    const { socketPath, version } = this.#options;
    const [{ McpHttp }, { BoxRunClient }] = await Promise.all([import("@boxrun/mcp"), import("boxrun-sdk")]);
    const client = new BoxRunClient({ socketPath });
    const http = new McpHttp({ client, version });
    const close = async () => {
      await http.close();
      await client[Symbol.asyncDispose]();
    };
    return { http, close };
  }
}
