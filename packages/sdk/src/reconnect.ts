import { BoxRunError } from "@boxrun/contract/plain";
import { ClientError } from "./errors.ts";

/** Pauses before the attempts to reconnect after a loss, in ms: 24 s in all, enough for a server to restart. */
export const retryDelaysMs = [50, 100, 200, 400, 800, 1600, 3200, 4000, 4000, 5000, 5000];

/** A lost connection, or a server (or a proxy before it) that is just not ready. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ClientError) return error.code === "CONNECTION_FAILED";
  return error instanceof BoxRunError && [502, 503, 504].includes(error.status);
}

export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}
