import { z } from "zod";
import { historyEntrySchema, historyQuerySchema } from "../history.ts";
import type { Operation } from "./operation.ts";
import { json } from "./parts.ts";

export const historyOperations = {
  listHistory: {
    method: "GET",
    path: "/v1/history",
    tag: "history",
    summary: "What was done to boxes, and by whom, newest first, also to those that are gone",
    query: historyQuerySchema,
    response: json(z.array(historyEntrySchema)),
    errors: [],
  },
} as const satisfies Record<string, Operation>;
