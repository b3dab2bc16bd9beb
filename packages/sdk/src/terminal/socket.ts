/** A WebSocket as a terminal needs it; Node and the browser each have their own (`#terminal-socket` in package.json). */
export interface TerminalSocket {
  /** Resolves when there is room for more. */
  sendBytes(data: Uint8Array): Promise<void>;
  sendText(text: string): void;
  /** What was on its way may still come. A browser can't: there it is a no-op. */
  pause(): void;
  resume(): void;
  /** Says good-bye; resolves when the connection is closed. Idempotent. */
  close(): Promise<void>;
}

export interface TerminalSocketEvents {
  readonly onBytes: (data: Uint8Array) => void;
  readonly onText: (text: string) => void;
  /** Once, last. `why`: for a person. */
  readonly onClose: (why: string) => void;
}

export interface TerminalSocketOptions {
  /** `http://…` or `https://…`. */
  readonly url: string;
  readonly socketPath: string | undefined;
  readonly token: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly events: TerminalSocketEvents;
  /** The error for an answer that refuses the WebSocket. */
  readonly refusal: (status: number, text: string) => Error;
  /** Asks the server by an ordinary request why it refused, where the platform does not say. */
  readonly askWhy: () => Promise<Error | undefined>;
}
