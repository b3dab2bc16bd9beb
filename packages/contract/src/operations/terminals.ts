import { z } from "zod";
import { okSchema } from "../box.ts";
import {
  attachQuerySchema,
  sessionSchema,
  terminalClientMessageSchema,
  terminalServerMessageSchema,
} from "../sessions.ts";
import type { Operation } from "./operation.ts";
import { boxCounts, boxMissing, json, sessionMissing } from "./parts.ts";

export const terminalOperations = {
  attach: {
    method: "GET",
    path: "/v1/boxes/{id}/attach",
    tag: "terminals",
    summary:
      "Attach a terminal to a shell in the box, over a WebSocket; with `session`, to one that goes on when the client leaves",
    query: attachQuerySchema,
    response: { kind: "websocket", client: terminalClientMessageSchema, server: terminalServerMessageSchema },
    errors: [...boxCounts, "NOT_SUPPORTED"],
  },
  listSessions: {
    method: "GET",
    path: "/v1/boxes/{id}/sessions",
    tag: "terminals",
    summary: "List a box's sessions, newest first",
    response: json(z.array(sessionSchema)),
    errors: boxMissing,
  },
  removeSession: {
    method: "DELETE",
    path: "/v1/boxes/{id}/sessions/{name}",
    tag: "terminals",
    summary: "End a session: its shell and everything that was started in it; answers when they are gone",
    response: json(okSchema),
    errors: [...sessionMissing, "RUNTIME_ERROR"],
  },
} as const satisfies Record<string, Operation>;
