/** How requests leave this process; Node and the browser each have their own (`#transport` in package.json). */
export interface Transport {
  readonly fetch: Fetch;
  /** Ends idle connections. */
  close(): Promise<void>;
}

/** The part of the Fetch API that the client uses: the browser's, Node's and undici's own all fit. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchResponse>;

export type FetchBody = string | Blob | ReadableStream<Uint8Array>;

export interface FetchInit {
  method: string;
  headers: Record<string, string>;
  body?: FetchBody;
  /** What a streamed body needs: the answer is read once the body is sent. */
  duplex?: "half";
  signal?: AbortSignal;
}

export interface FetchResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | null;
  text(): Promise<string>;
}

export interface TransportOptions {
  /** Undefined: TCP. */
  readonly socketPath: string | undefined;
}
