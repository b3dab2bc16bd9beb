import { z } from "zod";
import {
  boxStatsSchema,
  statsHistorySchema,
  statsOverviewQuerySchema,
  statsOverviewSchema,
  statsOverviewsSchema,
  statsQuerySchema,
  statsStepSchema,
} from "../stats.ts";
import type { Operation } from "./operation.ts";
import { boxMissing, json } from "./parts.ts";

export const statsOperations = {
  getStats: {
    method: "GET",
    path: "/v1/boxes/{id}/stats",
    tag: "stats",
    summary: "What a running box uses; with `follow=true` as events, one every two seconds, until it runs no more",
    query: statsQuerySchema,
    response: { ...json(boxStatsSchema), events: { stats: boxStatsSchema } },
    errors: [...boxMissing, "BOX_NOT_RUNNING", "NOT_SUPPORTED", "RUNTIME_ERROR"],
  },
  getStatsHistory: {
    method: "GET",
    path: "/v1/boxes/{id}/stats/history",
    tag: "stats",
    summary: "What a running box has used in the last hour, in steps of 10 seconds",
    response: json(statsHistorySchema),
    errors: boxMissing,
  },
  listStats: {
    method: "GET",
    path: "/v1/stats",
    tag: "stats",
    summary:
      "What all running boxes used at the last step, and with `points` before it; with `follow=true` as events, at every step of 10 seconds those that have changed",
    query: statsOverviewQuerySchema,
    response: {
      ...json(z.array(statsOverviewSchema)),
      events: { stats: statsOverviewsSchema, step: statsStepSchema },
    },
    errors: [],
  },
} as const satisfies Record<string, Operation>;
