import { z } from "zod";
import { okSchema } from "../box.ts";
import { endEventSchema, eventsHeadersSchema, eventsQuerySchema, exitEventSchema, logEventSchema } from "../events.ts";
import { execRequestSchema, execSchema, signalRequestSchema, stdinQuerySchema, terminalSizeSchema } from "../exec.ts";
import { idempotencyHeadersSchema } from "../idempotency.ts";
import { pageQuerySchema } from "../pages.ts";
import type { Operation } from "./operation.ts";
import { boxCounts, boxMissing, created, execMissing, execNeeded, json, jsonBody, repeatable } from "./parts.ts";

export const execOperations = {
  startExec: {
    method: "POST",
    path: "/v1/boxes/{id}/exec",
    tag: "execs",
    summary:
      "Start a command in a box, without waiting for its end, which the answer tells if the command is over at once; with `Accept: text/event-stream`, follow its output in the same answer",
    headers: idempotencyHeadersSchema,
    body: jsonBody(execRequestSchema),
    response: { ...created(execSchema), events: { exec: execSchema, log: logEventSchema, exit: exitEventSchema } },
    errors: [...boxCounts, ...repeatable],
  },
  listExecs: {
    method: "GET",
    path: "/v1/boxes/{id}/execs",
    tag: "execs",
    summary:
      "List a box's execs, newest first, at most 10,000 or a page of them; where there are more, the header boxrun-next-cursor says where they go on",
    query: pageQuerySchema,
    response: json(z.array(execSchema)),
    errors: boxMissing,
  },
  getExec: {
    method: "GET",
    path: "/v1/boxes/{id}/exec/{exec_id}",
    tag: "execs",
    summary: "Get an exec",
    response: json(execSchema),
    errors: execMissing,
  },
  streamExecEvents: {
    method: "GET",
    path: "/v1/boxes/{id}/exec/{exec_id}/events",
    tag: "execs",
    summary:
      "Follow an exec's output: what there is already, then (unless `follow=false`) what comes, up to its end; `Last-Event-ID` or `after` resumes",
    query: eventsQuerySchema,
    headers: eventsHeadersSchema,
    response: { kind: "events", events: { log: logEventSchema, exit: exitEventSchema, end: endEventSchema } },
    errors: execMissing,
  },
  cancelExec: {
    method: "POST",
    path: "/v1/boxes/{id}/exec/{exec_id}:cancel",
    tag: "execs",
    summary: "Kill an exec's process group: SIGTERM, 5 s later SIGKILL; answers when it is gone",
    response: json(execSchema),
    errors: execNeeded,
  },
  writeExecStdin: {
    method: "POST",
    path: "/v1/boxes/{id}/exec/{exec_id}/stdin",
    tag: "execs",
    summary: "Append the body to an exec's standard input; with `offset`, what was taken before is skipped",
    query: stdinQuerySchema,
    body: { kind: "bytes", description: "Bytes for standard input." },
    response: json(okSchema),
    errors: [...execNeeded, "RESOURCE_EXCEEDED", "NOT_SUPPORTED"],
  },
  resizeExec: {
    method: "POST",
    path: "/v1/boxes/{id}/exec/{exec_id}:resize",
    tag: "execs",
    summary: "Resize an exec's terminal",
    body: jsonBody(terminalSizeSchema),
    response: json(okSchema),
    errors: execNeeded,
  },
  signalExec: {
    method: "POST",
    path: "/v1/boxes/{id}/exec/{exec_id}:signal",
    tag: "execs",
    summary: "Send a signal to an exec's process group",
    body: jsonBody(signalRequestSchema),
    response: json(okSchema),
    errors: execNeeded,
  },
} as const satisfies Record<string, Operation>;
