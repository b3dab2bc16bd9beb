import type { ErrorBody } from "@boxrun/contract";
import { nextCursorHeader, revision, revisionHeader } from "@boxrun/contract/plain";
import { chunksOf, type EncodedBody } from "./body.ts";
import { ClientError, parseJson, reasonOf, serverError } from "./errors.ts";
import { loadContract, readErrorBody, type Shape } from "./shape.ts";
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
  readonly bringBack: (() => Promise<void>) | undefined;
  readonly isOwnPage: boolean;
}

interface RequestOptions extends CallOptions {
  readonly json?: unknown;
  readonly body?: EncodedBody;
  readonly headers?: Readonly<Record<string, string>>;
}

type Method = "GET" | "POST" | "DELETE";

/**
 * Requests to one server; answers are parsed, refusals thrown. A body's source that fails is thrown as it is.
 *
 * An answer over a Unix socket, or to the server's own page, by a server of the very same contract (`revisionHeader`) has its shape by
 * construction, and is not checked against a schema; any other is.
 */
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

  /** Where a connection of another kind than a request has to go. */
  target(path: string): {
    readonly url: string;
    readonly socketPath: string | undefined;
    readonly token: string | undefined;
  } {
    const { baseUrl, socketPath, token } = this.#options;
    return { url: `${baseUrl}${path}`, socketPath, token };
  }

  /** A JSON answer. */
  async call<Value>(method: Method, path: string, shape: Shape<Value>, options: RequestOptions = {}): Promise<Value> {
    const response = await this.open(method, path, options);
    const text = await this.text(response, options.signal);
    return this.parse(response, shape, text, `${method} ${path}`);
  }

  /** A list, page by page, from its beginning to its end. */
  async *pages<Value>(path: (cursor: string | undefined) => string, shape: Shape<Value>, options: RequestOptions) {
    let cursor: string | undefined;
    do {
      const response = await this.open("GET", path(cursor), options);
      const text = await this.text(response, options.signal);
      yield await this.parse(response, shape, text, `GET ${path(cursor)}`);
      cursor = response.headers.get(nextCursorHeader) ?? undefined;
    } while (cursor !== undefined);
  }

  /** A call whose answer says nothing but that it went well. */
  async do(method: Method, path: string, options: RequestOptions = {}): Promise<void> {
    const response = await this.open(method, path, options);
    await this.text(response, options.signal);
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
    const text = await this.text(response, signal);
    throw serverError(
      response.status,
      await this.errorBody(response, text),
      `${method} ${path} at ${this.address}`,
      text,
    );
  }

  /** The whole of an answer; a connection that breaks is a CONNECTION_FAILED. */
  async text(response: FetchResponse, signal: AbortSignal | undefined): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#broken(error);
    }
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

  /** A piece of the answer `response`. */
  async parse<Value>(response: FetchResponse, shape: Shape<Value>, text: string, what: string): Promise<Value> {
    if (this.#sharesContract(response)) return JSON.parse(text);
    const result = shape(await loadContract()).safeParse(parseJson(text));
    if (result.success) return result.data;
    const issue = result.error.issues[0];
    const where = issue === undefined ? "" : `${issue.path.join(".") || "the answer"}: ${issue.message}`;
    throw new ClientError("INVALID_ANSWER", `${what} at ${this.address} gave an answer of another shape: ${where}`, {
      cause: result.error,
    });
  }

  /** `undefined` for what is no error of BoxRun's. */
  async errorBody(response: FetchResponse, text: string): Promise<ErrorBody | undefined> {
    if (this.#sharesContract(response)) return JSON.parse(text);
    return readErrorBody(await loadContract(), text);
  }

  #sharesContract(response: FetchResponse): boolean {
    const { socketPath, isOwnPage } = this.#options;
    return (socketPath !== undefined || isOwnPage) && response.headers.get(revisionHeader) === revision;
  }

  /** Resolves when whoever looks after the server has seen to it. */
  async bringBack(): Promise<void> {
    await this.#options.bringBack?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#transport)?.close();
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
