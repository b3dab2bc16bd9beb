import type { GuestAnswer } from "@boxrun/core";
import { AgentError } from "./errors.ts";
import type { AgentLine } from "./line.ts";
import { type AgentUsage, usageSchema } from "./messages.ts";
import { requestJson } from "./requests.ts";

/** A reading is of no use later, and another one comes. */
const answerLimitMs = 2_000;

/** What a VM uses, as its agent tells. */
export async function guestUsage(line: AgentLine): Promise<GuestAnswer> {
  try {
    const usage = await requestJson(line, "GET", "/usage", usageSchema, { limitMs: answerLimitMs });
    return { state: "answered", usage: read(usage) };
  } catch (error) {
    // An agent that does not know the question.
    if (error instanceof AgentError && error.code === "BAD_REQUEST") return { state: "unsupported" };
    return { state: "unreachable", why: error instanceof Error ? error.message : String(error) };
  }
}

function read({ network, ...usage }: AgentUsage) {
  return {
    cpuMs: usage.cpu_ms,
    memoryBytes: usage.memory_used,
    memoryTotalBytes: usage.memory_total,
    diskBytes: usage.disk_used,
    diskSizeBytes: usage.disk_size,
    network: network === undefined ? null : { receivedBytes: network.received, sentBytes: network.sent },
    processes: usage.processes,
  };
}
