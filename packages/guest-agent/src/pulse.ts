import type { ClientHttp2Session } from "node:http2";

/**
 * While a request is under way the agent is asked this often for a sign of life. In libkrun (as of BoxLite 0.10.0) what one side has said may
 * be left lying until something else goes over the line: a ping gets it going again.
 */
const everyMs = 2_000;
/** An agent that takes longer than this to answer is lost: a guest on a busy host is slow, but not that slow. */
const limitMs = 60_000;

/** Pings a session while there is something to wait for on it, and gives it up when the other side no longer answers. */
export class Pulse {
  readonly #session: ClientHttp2Session;
  readonly #giveUp: (reason: Error) => void;
  readonly #everyMs: number;
  readonly #limitMs: number;
  #requests = 0;
  #timer: NodeJS.Timeout | undefined;
  #askedAtMs: number | undefined;

  /** `giveUp` ends the session and what it goes over. */
  constructor(session: ClientHttp2Session, giveUp: (reason: Error) => void, times = { everyMs, limitMs }) {
    this.#session = session;
    this.#giveUp = giveUp;
    this.#everyMs = times.everyMs;
    this.#limitMs = times.limitMs;
  }

  /** A request has begun. */
  begin(): void {
    this.#requests += 1;
    this.#timer ??= setInterval(() => this.#beat(), this.#everyMs).unref();
  }

  /** A request has ended. */
  end(): void {
    this.#requests -= 1;
    if (this.#requests > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #beat(): void {
    if (this.#session.destroyed) return;
    const now = performance.now();
    if (this.#askedAtMs === undefined) {
      this.#askedAtMs = now;
      this.#session.ping(() => {
        this.#askedAtMs = undefined;
      });
    } else if (now - this.#askedAtMs > this.#limitMs) {
      this.#giveUp(new Error(`the agent has not answered a ping for ${this.#limitMs / 1000} s`));
    }
  }
}
