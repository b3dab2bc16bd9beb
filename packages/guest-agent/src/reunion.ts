import { type Adoption, unlessAborted } from "@boxrun/core";
import { AnotherVm } from "./errors.ts";
import type { AgentLine } from "./line.ts";
import { helloLimitBytes, helloSchema } from "./messages.ts";
import { requestJson } from "./requests.ts";

/** How long one attempt to reach the agent of a VM that is up may take; what is slower is tried again. */
const reachLimitMs = 8_000;

/**
 * Asks the agent of a VM for a sign of life: of one that an earlier server has left, or of our own. Rejects with what is in the way. The line tries to
 * connect all that time: the last server's connection may be over only now, and what was on it come first.
 */
export async function hearAgain(line: AgentLine, signal: AbortSignal): Promise<void> {
  const late = new AbortController();
  const lateReason = new Error(`its agent has not answered for ${reachLimitMs / 1000} s`);
  const timer = setTimeout(() => late.abort(lateReason), reachLimitMs);
  try {
    const asked = requestJson(line, "GET", "/hello", helloSchema, { repeatable: true, limitBytes: helloLimitBytes });
    const hello = await unlessAborted(asked, AbortSignal.any([signal, late.signal]));
    if (!hello.setup) throw new Error("its agent has not set it up");
  } finally {
    clearTimeout(timer);
  }
}

/** What a failed attempt says of the VM, whose process lives: that it is another one by now, or nothing. */
export function afterFailure(error: unknown): Adoption {
  if (error instanceof AnotherVm) return { state: "dead" };
  return { state: "unreachable", why: error instanceof Error ? error.message : String(error) };
}
