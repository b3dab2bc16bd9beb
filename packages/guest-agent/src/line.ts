import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import type { AgentAddress } from "./address.ts";
import { AnotherVm, ConnectionLost, OtherProtocol } from "./errors.ts";
import { Gate } from "./gate/gate.ts";
import { connectGreeted } from "./greeting.ts";
import { keepOwnBytes } from "./own-bytes.ts";
import { Pulse } from "./pulse.ts";
import { Setbacks } from "./setbacks.ts";
import { type RequestKind, Shares } from "./shares.ts";
import { WireViolation } from "./violation.ts";

/** The HTTP/2 windows: how much of each answer, and of all together, the agent may send before we have read it, in bytes. */
const streamWindow = 512 * 1024;
const connectionWindow = 16 * 1024 * 1024;
const maxFrameSize = 256 * 1024;

/** How long the line is tried to be mended before the agent counts as lost. */
const reconnectLimitMs = 30_000;

interface RequestOptions {
  readonly kind: RequestKind;
  /** No body follows. */
  readonly endStream: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** A connection that is open. */
interface Connection {
  readonly session: ClientHttp2Session;
  readonly pulse: Pulse;
  readonly shares: Shares;
  /** Ends it, and with `reason` all that is under way on it. */
  close(reason?: Error): void;
}

/**
 * The connection to one VM's agent, for as long as the VM lives: mended when it drops. An agent takes one client at a time, so
 * there is one HTTP/2 session, and all requests share it.
 */
export class AgentLine {
  readonly #address: AgentAddress;
  readonly #ended = new AbortController();
  readonly #setbacks = new Setbacks();
  #answerListener: ((date: string, askedAtMs: number) => void) | undefined;
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
   * ends at this very moment, RESOURCE_EXCEEDED if too many of its kind are under way, or BOX_UNREACHABLE if the agent stays silent or is barred.
   */
  async request(headers: OutgoingHttpHeaders, options: RequestOptions): Promise<ClientHttp2Stream> {
    const { session, pulse, shares, close } = await this.#open();
    options.signal?.throwIfAborted();
    const giveBack = shares.take(options.kind, session.remoteSettings.maxConcurrentStreams);
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(headers, { endStream: options.endStream });
    } catch (error) {
      giveBack();
      // Whatever its reason, a session that has refused once may do so for ever.
      close();
      throw new ConnectionLost("the connection to the agent was lost", { cause: error });
    }
    keepOwnBytes(stream);
    pulse.begin();
    const askedAtMs = Date.now();
    stream.once("response", ({ date }) => {
      this.#setbacks.answered();
      if (date !== undefined) this.#answerListener?.(date, askedAtMs);
    });
    stream.once("close", () => {
      pulse.end();
      giveBack();
      // It was never sent: the session takes no more, though it may not say so.
      if (stream.pending) close();
    });
    return stream;
  }

  /** Tells the guest's time (HTTP's `date`) of every answer, and the host's when it was asked. */
  onAnswer(listener: (date: string, askedAtMs: number) => void): void {
    this.#answerListener = listener;
  }

  /** Waits before something is asked again, for the nth time from 1. */
  async pauseBeforeRetry(attempt: number, signal?: AbortSignal): Promise<void> {
    const pauseMs = this.#setbacks.nextRetry(attempt);
    const signals = signal === undefined ? [this.#ended.signal] : [this.#ended.signal, signal];
    const stop = AbortSignal.any(signals);
    await sleep(pauseMs, undefined, { signal: stop }).catch(() => undefined);
    stop.throwIfAborted();
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
    const { bar } = this.#setbacks;
    if (bar !== undefined) {
      throw new BoxRunError(
        "BOX_UNREACHABLE",
        `talk to the agent at ${this.#address.name}: it breaks the protocol again and again, and is not asked for the next ${Math.ceil(bar.leftMs / 1000)} s: ${bar.why}`,
      );
    }
    this.#connecting ??= this.#mend().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #mend(): Promise<Connection> {
    const deadline = performance.now() + reconnectLimitMs;
    let cause: unknown;
    // The agent may not have noticed yet that the last connection ended: each attempt waits longer, then hangs up longer.
    for (let attempt = 0; performance.now() < deadline; attempt++) {
      await sleep(this.#setbacks.nextConnection(), undefined, { signal: this.#ended.signal }).catch(() => undefined);
      this.#ended.signal.throwIfAborted();
      const waitMs = Math.min(1000 * 2 ** attempt, 8000);
      try {
        return await this.#connect(AbortSignal.any([AbortSignal.timeout(waitMs), this.#ended.signal]));
      } catch (error) {
        this.#ended.signal.throwIfAborted();
        if (error instanceof AnotherVm || error instanceof OtherProtocol) throw error;
        cause = error;
      }
    }
    throw new BoxRunError(
      "BOX_UNREACHABLE",
      `talk to the agent at ${this.#address.name}: it has not answered for ${reconnectLimitMs / 1000} s: ${String(cause)}`,
      { cause },
    );
  }

  async #connect(signal: AbortSignal): Promise<Connection> {
    // Until something is answered.
    this.#setbacks.fruitless();
    const { stream, greeting } = await connectGreeted(this.#address, signal);
    if (this.#bootId !== undefined && this.#bootId !== greeting.bootId) {
      stream.destroy();
      throw new AnotherVm(`another VM answers: boot id ${greeting.bootId} instead of ${this.#bootId}`);
    }
    this.#bootId = greeting.bootId;
    const gate = new Gate(stream, {
      maxFrameSize,
      onCut: (reason) => {
        if (reason instanceof WireViolation) this.#setbacks.violated(reason.message);
        close(reason);
      },
    });
    const session = connect("http://agent", {
      createConnection: () => gate,
      settings: { enablePush: false, initialWindowSize: streamWindow, maxFrameSize, maxHeaderListSize: 16_384 },
      maxSessionMemory: 64,
    });
    // A session waits for what it has written, which a guest that has stopped never reads.
    const close = (reason?: Error) => {
      session.destroy(reason);
      gate.destroy();
    };
    // Its end shows in its streams; without a listener the error would end the server. It may go on as if nothing were: so it ends here.
    session.on("error", (error) => close(error));
    session.once("goaway", () => close());
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
    this.#connection = { session, pulse: new Pulse(session, close), shares: new Shares(), close };
    return this.#connection;
  }
}
