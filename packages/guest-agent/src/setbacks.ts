import { Rate } from "./gate/rate.ts";

/** So many connections may break the protocol in a row of minutes before the agent has to wait. */
const forgivenViolations = 2;
const violationForgottenMs = 60_000;
const maxBarMs = 60_000;
const maxPauseMs = 2000;

/** What one line has been through: a guest decides when connections end and answers break off, and must not keep the server busy by that. */
export class Setbacks {
  /** Connections: an honest agent keeps one for days. */
  readonly #connections = new Rate(20, 1);
  /** What is asked again: all that was under way when the connection ended, and hardly anything else. */
  readonly #retries = new Rate(2000, 20);
  /** Connections in a row that ended without an answer. */
  #fruitless = 0;
  #violations = 0;
  #violatedAtMs = 0;
  #bar: { readonly untilMs: number; readonly why: string } | undefined;

  /** Something was answered. */
  answered(): void {
    this.#fruitless = 0;
  }

  /** A connection was tried, or has ended, without an answer. */
  fruitless(): void {
    this.#fruitless += 1;
  }

  /** A connection was cut because of what the agent sent. */
  violated(why: string): void {
    const now = performance.now();
    if (now - this.#violatedAtMs > violationForgottenMs) this.#violations = 0;
    this.#violatedAtMs = now;
    this.#violations += 1;
    const over = this.#violations - forgivenViolations;
    if (over > 0) this.#bar = { untilMs: now + Math.min(1000 * 2 ** (over - 1), maxBarMs), why };
  }

  /** Why the agent is not asked for the moment. */
  get bar(): { readonly leftMs: number; readonly why: string } | undefined {
    if (this.#bar === undefined) return undefined;
    const leftMs = this.#bar.untilMs - performance.now();
    return leftMs > 0 ? { leftMs, why: this.#bar.why } : undefined;
  }

  /** How long to wait before the next connection, in milliseconds; counts it. */
  nextConnection(): number {
    const pauseMs = this.#fruitless === 0 ? 0 : Math.min(20 * 2 ** this.#fruitless, maxPauseMs);
    this.#connections.take(1);
    return Math.max(pauseMs, this.#connections.waitMs);
  }

  /** The same before something is asked again, for the nth time from 1. */
  nextRetry(attempt: number): number {
    this.#retries.take(1);
    return Math.max(Math.min(10 * 2 ** attempt, 1000), this.#retries.waitMs);
  }
}
