import { type StopReport, unlessAborted } from "@boxrun/core";
import type { AgentLine } from "./line.ts";
import { poweredOffSchema } from "./messages.ts";
import { requestJson } from "./requests.ts";

/** For the agent to hear the request, and to end by force what has not ended by itself. */
const slackMs = 5_000;

/**
 * Has the agent end everything in its VM, which gets `graceMs` to do so by itself, and then the VM. Resolves once nothing runs in the VM any more, with who had
 * to be killed; `undefined` if the agent does not say so in time. An older agent answers at once, and nobody knows whom it kills.
 */
export async function powerOff(line: AgentLine, graceMs: number): Promise<StopReport["killed"] | undefined> {
  const limitMs = graceMs + slackMs;
  const body = { grace_ms: graceMs };
  try {
    const asked = requestJson(line, "POST", "/poweroff", poweredOffSchema, { body, limitMs });
    return (await unlessAborted(asked, AbortSignal.timeout(limitMs))).killed ?? [];
  } catch {
    return undefined;
  }
}
