import { BoxRunError } from "@boxrun/contract";
import { fromAgent } from "./errors.ts";
import type { AgentLine } from "./line.ts";
import { okSchema, type SetupMessage } from "./messages.ts";
import { requestJson } from "./requests.ts";

/** Loading modules and mounting, with an emulated CPU on a busy host. */
const setUpLimitMs = 60_000;

/** Makes a VM whose agent has greeted into this box. RUNTIME_ERROR: one that does not answer is no box yet, and is given up. */
export async function setUpVm(line: AgentLine, boxId: string, body: SetupMessage): Promise<void> {
  try {
    await requestJson(line, "POST", "/setup", okSchema, { body, limitMs: setUpLimitMs, repeatable: true });
  } catch (error) {
    const failure = fromAgent(`set up box ${boxId}`, error);
    if (failure instanceof BoxRunError && failure.code !== "BOX_UNREACHABLE") throw failure;
    throw new BoxRunError("RUNTIME_ERROR", failure.message, { cause: error });
  }
}
