import type { z } from "zod";
import { chunksOf, type EncodedBody } from "./body.ts";
import { ClientError, parseJson, reasonOf, serverError } from "./errors.ts";
import type { Fetch, FetchInit, FetchResponse, Transport } from "./transport.ts";

export interface CallOptions {
  /** Gives the call up: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface HttpOptions {
  readonly baseUrl: string;
  readonly socketPath: string | undefined;
  readonly token: string | undefined;
  readonly fetch: Fetch | undefined;
}

interface RequestOptions extends CallOptions {
  readonly json?: unknown;
  readonly body?: EncodedBody;
  readonly headers?: Readonly<Record<string, string>>;
}

type Method = "GET" | "POST" | "DELETE";

/** Requests to one server; answers are parsed, refusals thrown. A body's source that fails is thrown as it is. */
export class Http implements AsyncDisposable {
  readonly #options: HttpOptions;
  #transport: Promise<Transport> | undefined;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /** For messages: `unix:///run/boxrun.sock` or the base URL. */
  get address(): string {
    return this.#options.socketPath === undefined ? this.#options.baseUrl : `unix://${this.#options.socketPath}`;
  }

  /** A JSON answer. */
  async call<Schema extends z.ZodType>(
    method: Method,
    path: string,
    schema: Schema,
    options: RequestOptions = {},
  ): Promise<z.output<Schema>> {
    const response = await this.open(method, path, options);
    const text = await this.#text(response, options.signal);
    return this.parse(schema, text, `${method} ${path}`);
  }

  /** A call whose answer says nothing but that it went well. */
  async do(method: Method, path: string, options: RequestOptions = {}): Promise<void> {
    const response = await this.open(method, path, options);
    await this.#text(response, options.signal);
  }

  /** An answer whose body the caller reads (`body`) or cancels. Resolves only for a status below 400. */
  async open(method: Method, path: string, options: RequestOptions = {}): Promise<FetchResponse> {
    const { signal } = options;
    let response: FetchResponse;
    try {
      const { fetch } = await this.#open();
      response = await fetch(`${this.#options.baseUrl}${path}`, this.#init(method, options));
    } catch (error) {
      signal?.throwIfAborted();
      const sourceFailure = options.body?.sourceFailure();
      if (sourceFailure !== undefined) throw sourceFailure.error;
      throw new ClientError(
        "CONNECTION_FAILED",
        `Cannot reach the BoxRun server at ${this.address}: ${reasonOf(error)}`,
        {
          cause: error,
        },
      );
    }
    if (response.ok) return response;
    throw serverError(response.status, await this.#text(response, signal), `${method} ${path} at ${this.address}`);
  }

  /** The chunks of an answer; a connection that breaks is a CONNECTION_FAILED. Leaving the loop hangs up. */
  async *chunks(response: FetchResponse, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    if (response.body === null) return;
    try {
      yield* chunksOf(response.body);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#broken(error);
    }
  }

  parse<Schema extends z.ZodType>(schema: Schema, text: string, what: string): z.output<Schema> {
    const result = schema.safeParse(parseJson(text));
    if (result.success) return result.data;
    const issue = result.error.issues[0];
    const where = issue === undefined ? "" : `${issue.path.join(".") || "the answer"}: ${issue.message}`;
    throw new ClientError("INVALID_ANSWER", `${what} at ${this.address} gave an answer of another shape: ${where}`, {
      cause: result.error,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#transport)?.close();
  }

  async #text(response: FetchResponse, signal: AbortSignal | undefined): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#broken(error);
    }
  }

  #broken(error: unknown): ClientError {
    return new ClientError("CONNECTION_FAILED", `The connection to ${this.address} broke: ${reasonOf(error)}`, {
      cause: error,
    });
  }

  #open(): Promise<Transport> {
    this.#transport ??= this.#makeTransport();
    return this.#transport;
  }

  async #makeTransport(): Promise<Transport> {
    const { fetch, socketPath } = this.#options;
    if (fetch !== undefined) return { fetch, close: async () => undefined };
    const { openTransport } = await import("#transport");
    return openTransport({ socketPath });
  }

  #init(method: Method, options: RequestOptions): FetchInit {
    const { json, body, signal } = options;
    const headers: Record<string, string> = { ...options.headers };
    if (this.#options.token !== undefined) headers.authorization = `Bearer ${this.#options.token}`;
    const init: FetchInit = { method, headers };
    if (signal !== undefined) init.signal = signal;
    if (json !== undefined) {
      headers["content-type"] = "application/json";
      init.body = JSON.stringify(json);
    } else if (body !== undefined) {
      headers["content-type"] = body.contentType;
      init.body = body.body;
      if (body.body instanceof ReadableStream) init.duplex = "half";
    }
    return init;
  }
}
