import { type Adoption, unlessAborted } from "@boxrun/core";
import { AnotherVm, ConnectionLost } from "./errors.ts";
import type { AgentLine } from "./line.ts";
import { helloLimitBytes, helloSchema } from "./messages.ts";
import { requestJson } from "./requests.ts";

/** How long one attempt to reach the agent of a VM that is up may take; what is slower is tried again. */
const reachLimitMs = 8_000;

/** Connects to the agent of a VM that an earlier server has left, and hears that it has set up its box. Rejects with what is in the way. */
export async function meetAgain(line: AgentLine, signal: AbortSignal): Promise<void> {
  await inTime(signal, async (stop) => {
    for (;;) {
      try {
        await line.open(stop);
        break;
      } catch (error) {
        // The last server's connection, which is over only now, say.
        if (!(error instanceof ConnectionLost) || stop.aborted) throw error;
      }
    }
    await hearSetUp(line);
  });
}

/** Asks the agent of a VM that is ours already for a sign of life. Rejects with what is in the way. */
export async function hearAgain(line: AgentLine, signal: AbortSignal): Promise<void> {
  await inTime(signal, () => hearSetUp(line));
}

/** What a failed attempt says of the VM, whose process lives: that it is another one by now, or nothing. */
export function afterFailure(error: unknown): Adoption {
  if (error instanceof AnotherVm) return { state: "dead" };
  return { state: "unreachable", why: error instanceof Error ? error.message : String(error) };
}

async function hearSetUp(line: AgentLine): Promise<void> {
  const hello = await requestJson(line, "GET", "/hello", helloSchema, {
    repeatable: true,
    limitBytes: helloLimitBytes,
  });
  if (!hello.setup) throw new Error("its agent has not set it up");
}

async function inTime(signal: AbortSignal, work: (stop: AbortSignal) => Promise<void>): Promise<void> {
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new Error(`its agent has not answered for ${reachLimitMs / 1000} s`)),
    reachLimitMs,
  );
  const stop = AbortSignal.any([signal, late.signal]);
  try {
    await unlessAborted(work(stop), stop);
  } finally {
    clearTimeout(timer);
  }
}
