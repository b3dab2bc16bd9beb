import type { Handlers } from "../register.ts";
import { answerEvents, type Context, callerSignal } from "./context.ts";

type StatsHandlers = Pick<Handlers, "getStats" | "getStatsHistory" | "listStats">;

export function statsHandlers(context: Context): StatsHandlers {
  const { core, lifetime } = context;
  return {
    getStats: async ({ path, query, reply }) => {
      const signal = callerSignal(reply, lifetime);
      // Said while it can be answered as to every other request.
      const first = await core.stats.read(path.id, { signal });
      if (!query.follow) return first;
      return answerEvents(reply, context, async function* (until) {
        for await (const data of core.stats.follow(first.box_id, { signal: until })) yield [{ event: "stats", data }];
      });
    },
    getStatsHistory: async ({ path }) => core.stats.history(path.id),
    listStats: async ({ query: { points, follow }, reply }) => {
      if (!follow) return [...core.stats.overview(points)];
      return answerEvents(reply, context, async function* (signal) {
        for await (const event of core.stats.followOverview(points, { signal })) yield [event];
      });
    },
  };
}
