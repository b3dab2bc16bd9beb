import type { HistoryRecorder } from "../history/recorder.ts";
import type { Handlers } from "../register.ts";
import { itemsOf } from "./context.ts";

export function historyHandlers(history: HistoryRecorder): Pick<Handlers, "listHistory"> {
  return { listHistory: async ({ query, reply }) => itemsOf(history.page(query), reply) };
}
