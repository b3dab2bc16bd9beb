import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import type { AgentAddress } from "./address.ts";
import { AnotherVm, ConnectionLost } from "./errors.ts";
import { connectGreeted } from "./greeting.ts";
import { Pulse } from "./pulse.ts";

/** The HTTP/2 windows: how much of each answer, and of all together, the agent may send before we have read it, in bytes. */
const streamWindow = 512 * 1024;
const connectionWindow = 16 * 1024 * 1024;
const maxFrameSize = 256 * 1024;

/** How long the line is tried to be mended before the agent counts as lost. */
const reconnectLimitMs = 30_000;

interface RequestOptions {
  /** No body follows. */
  readonly endStream: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** A connection that is open. */
interface Connection {
  readonly session: ClientHttp2Session;
  readonly pulse: Pulse;
  close(): void;
}

/**
 * The connection to one VM's agent, for as long as the VM lives: mended when it drops. An agent takes one client at a time, so
 * there is one HTTP/2 session, and all requests share it.
 */
export class AgentLine {
  readonly #address: AgentAddress;
  readonly #ended = new AbortController();
  #connection: Connection | undefined;
  #connecting: Promise<Connection> | undefined;
  #bootId: string | undefined;

  /** `bootId`: of a VM that is known already; another one's agent is refused. */
  constructor(address: AgentAddress, bootId?: string) {
    this.#address = address;
    this.#bootId = bootId;
  }

  /** Known once the agent has greeted. */
  get bootId(): string | undefined {
    return this.#bootId;
  }

  /**
   * Waits for the agent's first greeting, which in a VM that boots comes late. Called before anything else; ConnectionLost if what greeted
   * hung up at once.
   */
  async open(signal: AbortSignal): Promise<void> {
    await this.#connect(AbortSignal.any([signal, this.#ended.signal]));
  }

  /**
   * Begins a request on a connection that is open now, mended if need be. Rejects with the reason of `end`, ConnectionLost if the connection
   * ends at this very moment, or BOX_UNREACHABLE if the agent stays silent.
   */
  async request(headers: OutgoingHttpHeaders, options: RequestOptions): Promise<ClientHttp2Stream> {
    const { session, pulse } = await this.#open();
    options.signal?.throwIfAborted();
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(headers, { endStream: options.endStream });
    } catch (error) {
      throw new ConnectionLost("the connection to the agent was lost", { cause: error });
    }
    pulse.begin();
    stream.once("close", () => pulse.end());
    return stream;
  }

  /** Ends it for good: every request under way and every later one rejects with `reason`. */
  end(reason: BoxRunError): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(reason);
    this.#connection?.close();
  }

  /** Why it ended; `undefined` while it hasn't. */
  get endReason(): unknown {
    return this.#ended.signal.reason;
  }

  async #open(): Promise<Connection> {
    this.#ended.signal.throwIfAborted();
    const now = this.#connection;
    if (now !== undefined && !now.session.closed && !now.session.destroyed) return now;
    this.#connecting ??= this.#mend().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #mend(): Promise<Connection> {
    const deadline = Date.now() + reconnectLimitMs;
    let cause: unknown;
    // The agent may not have noticed yet that the last connection ended: each attempt waits longer, then hangs up longer.
    for (let attempt = 0; Date.now() < deadline; attempt++) {
      const waitMs = Math.min(1000 * 2 ** attempt, 8000);
      try {
        return await this.#connect(AbortSignal.any([AbortSignal.timeout(waitMs), this.#ended.signal]));
      } catch (error) {
        this.#ended.signal.throwIfAborted();
        cause = error;
      }
      await sleep(Math.min(20 * 2 ** attempt, 1000));
    }
    throw new BoxRunError(
      "BOX_UNREACHABLE",
      `talk to the agent at ${this.#address.name}: it has not answered for ${reconnectLimitMs / 1000} s: ${String(cause)}`,
      { cause },
    );
  }

  async #connect(signal: AbortSignal): Promise<Connection> {
    const { stream, greeting } = await connectGreeted(this.#address, signal);
    if (this.#bootId !== undefined && this.#bootId !== greeting.bootId) {
      stream.destroy();
      throw new AnotherVm(`another VM answers: boot id ${greeting.bootId} instead of ${this.#bootId}`);
    }
    this.#bootId = greeting.bootId;
    const session = connect("http://agent", {
      createConnection: () => stream,
      settings: { enablePush: false, initialWindowSize: streamWindow, maxFrameSize, maxHeaderListSize: 16_384 },
      maxSessionMemory: 64,
    });
    // A session waits for what it has written, which a guest that has stopped never reads.
    const close = (reason?: Error) => {
      session.destroy(reason);
      stream.destroy();
    };
    // Its end shows in its streams; without a listener the error would end the server.
    session.on("error", () => undefined);
    await new Promise<void>((resolve, reject) => {
      const fail = () => {
        close();
        reject(signal.reason ?? new ConnectionLost("the connection ended while it was opened"));
      };
      signal.addEventListener("abort", fail, { once: true });
      session.once("close", fail);
      // A session over a stream that has ended by now would wait for ever.
      stream.once("close", fail);
      if (stream.destroyed) fail();
      session.once("remoteSettings", () => {
        signal.removeEventListener("abort", fail);
        session.off("close", fail);
        stream.off("close", fail);
        resolve();
      });
    });
    session.setLocalWindowSize(connectionWindow);
    this.#connection = { session, pulse: new Pulse(session, close), close };
    return this.#connection;
  }
}
