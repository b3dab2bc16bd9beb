import { type ClientHttp2Session, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import type { AgentAddress } from "./address.ts";
import { connectGreeted } from "./greeting.ts";

/** The HTTP/2 windows: how much of each answer, and of all together, the agent may send before we have read it, in bytes. */
const streamWindow = 512 * 1024;
const connectionWindow = 16 * 1024 * 1024;
const maxFrameSize = 256 * 1024;

/** How long the line is tried to be mended before the agent counts as lost. */
const reconnectLimitMs = 30_000;

/**
 * The connection to one VM's agent, for as long as the VM lives: mended when it drops. An agent takes one client at a time, so
 * there is one HTTP/2 session, and all requests share it.
 */
export class AgentLine {
  readonly #address: AgentAddress;
  readonly #ended = new AbortController();
  #session: ClientHttp2Session | undefined;
  #connecting: Promise<ClientHttp2Session> | undefined;
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

  /** Waits for the agent's first greeting, which in a VM that boots comes late. Called once, before anything else. */
  async open(signal: AbortSignal): Promise<void> {
    await this.#connect(AbortSignal.any([signal, this.#ended.signal]));
  }

  /** A session that is open now, mended if need be. Rejects with the reason of `end`, or RUNTIME_ERROR if the agent stays silent. */
  async session(): Promise<ClientHttp2Session> {
    this.#ended.signal.throwIfAborted();
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session;
    this.#connecting ??= this.#mend().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  /** Ends it for good: every request under way and every later one rejects with `reason`. */
  end(reason: BoxRunError): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(reason);
    this.#session?.destroy();
  }

  /** Why it ended; `undefined` while it hasn't. */
  get endReason(): unknown {
    return this.#ended.signal.reason;
  }

  async #mend(): Promise<ClientHttp2Session> {
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
      "RUNTIME_ERROR",
      `talk to the agent at ${this.#address.name}: it has not answered for ${reconnectLimitMs / 1000} s: ${String(cause)}`,
      { cause },
    );
  }

  async #connect(signal: AbortSignal): Promise<ClientHttp2Session> {
    const { stream, greeting } = await connectGreeted(this.#address, signal);
    if (this.#bootId !== undefined && this.#bootId !== greeting.bootId) {
      stream.destroy();
      throw new Error(`another VM answers: boot id ${greeting.bootId} instead of ${this.#bootId}`);
    }
    this.#bootId = greeting.bootId;
    const session = connect("http://agent", {
      createConnection: () => stream,
      settings: { enablePush: false, initialWindowSize: streamWindow, maxFrameSize, maxHeaderListSize: 16_384 },
      maxSessionMemory: 64,
    });
    // Its end shows in its streams; without a listener the error would end the server.
    session.on("error", () => undefined);
    await new Promise<void>((resolve, reject) => {
      const fail = () => {
        session.destroy();
        reject(signal.reason ?? new Error("the connection ended while it was opened"));
      };
      signal.addEventListener("abort", fail, { once: true });
      session.once("close", fail);
      session.once("remoteSettings", () => {
        signal.removeEventListener("abort", fail);
        session.off("close", fail);
        resolve();
      });
    });
    session.setLocalWindowSize(connectionWindow);
    this.#session = session;
    return session;
  }
}
