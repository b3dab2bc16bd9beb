import { idempotencyKeyHeader, urls } from "@boxrun/contract/plain";
import { randomHex } from "./body.ts";
import { ClientError, systemCodeOf } from "./errors.ts";
import type { CallOptions, Http } from "./http.ts";
import { pause, retryDelaysMs } from "./reconnect.ts";

export interface RepeatableOptions extends CallOptions {
  /**
   * Names the request: sent again with the same one, by another program too, it is answered with what was made of it the first time, for 24
   * hours. Default: one of this call's own, under which it is sent again where its answer was lost.
   */
  readonly idempotencyKey?: string | undefined;
}

/**
 * Sends a request under a key until it is answered, whatever the answer says: a lost answer, also to a restart of the server, is asked for
 * again, and nothing is done twice. A server that could not be reached in the first place is not waited for; one that knows no keys (0.4 and
 * older) is not asked again.
 */
export async function untilAnswered<Value>(
  http: Http,
  { signal, idempotencyKey }: RepeatableOptions,
  send: (headers: Readonly<Record<string, string>>) => Promise<Value>,
): Promise<Value> {
  const headers = { [idempotencyKeyHeader]: idempotencyKey ?? randomHex(16) };
  let isBroken = false;
  let lost: unknown;
  for (let failures = 0; ; failures += 1) {
    try {
      if (isBroken) await http.bringBack();
      if (lost === undefined || (await knowsKeys(http, signal))) return await send(headers);
    } catch (error) {
      signal?.throwIfAborted();
      const delayMs = retryDelaysMs[failures];
      isBroken = failures === 0 ? isLost(error) : isUnanswered(error);
      if (delayMs === undefined || (!isBroken && !isProxys(error))) throw error;
      lost ??= error;
      await pause(delayMs, signal);
      continue;
    }
    throw lost;
  }
}

async function knowsKeys(http: Http, signal: AbortSignal | undefined): Promise<boolean> {
  const health = await http.call("GET", urls.health(), (contract) => contract.healthSchema, { signal });
  return health.idempotency_keys === true;
}

function isUnanswered(error: unknown): error is ClientError {
  return error instanceof ClientError && error.code === "CONNECTION_FAILED";
}

/** A proxy that can't reach the server: what has an error of the server's own is an answer. */
function isProxys(error: unknown): boolean {
  return error instanceof ClientError && [502, 503, 504].includes(error.status ?? 0);
}

/** The connection was there, and broke: the server may have the request. */
function isLost(error: unknown): boolean {
  if (!isUnanswered(error)) return false;
  const code = systemCodeOf(error);
  if (code !== undefined) return brokenCodes.has(code);
  const { cause } = error;
  // A browser does not say what has happened.
  return (
    cause === undefined || cause instanceof ClientError || (cause instanceof TypeError && cause.cause === undefined)
  );
}

const brokenCodes: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED"]);
