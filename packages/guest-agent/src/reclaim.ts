import type { AgentLine } from "./line.ts";
import { okSchema } from "./messages.ts";
import { requestJson } from "./requests.ts";

/** For a VM of some gigabytes on an emulated CPU, which has let go of them in a few. */
const limitMs = 30_000;

/** Has the guest let go of what it keeps of files in memory and has little use for. One that does not answer, or does not know how, keeps it: nothing depends on it. */
export async function reclaimMemory(line: AgentLine): Promise<void> {
  await requestJson(line, "POST", "/reclaim", okSchema, { limitMs }).catch(() => undefined);
}
