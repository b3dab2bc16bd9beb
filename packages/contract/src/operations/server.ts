import { z } from "zod";
import { boxSchema, okSchema } from "../box.ts";
import { findingSchema } from "../doctor.ts";
import { boxRemovedSchema } from "../events.ts";
import { execSchema, runRequestSchema, runResponseSchema } from "../exec.ts";
import { idempotencyHeadersSchema } from "../idempotency.ts";
import { gcRequestSchema, gcResponseSchema, healthSchema, infoSchema } from "../info.ts";
import { orphanSchema } from "../orphans.ts";
import { usageSchema } from "../usage.ts";
import type { Operation } from "./operation.ts";
import { boxMissing, bringUp, json, jsonBody, repeatable } from "./parts.ts";

export const serverOperations = {
  run: {
    method: "POST",
    path: "/v1/run",
    tag: "server",
    summary:
      "Run one command in a box of its own, which is gone afterwards, also when the caller hangs up: at once, or, of a request with a key, when nobody has come back for it within 30 s",
    headers: idempotencyHeadersSchema,
    body: jsonBody(runRequestSchema),
    response: json(runResponseSchema),
    errors: ["NAME_ALREADY_EXISTS", ...bringUp, ...repeatable],
  },
  collectGarbage: {
    method: "POST",
    path: "/v1/gc",
    tag: "server",
    summary: "Remove boxes that were stopped for longer than so many seconds, and give up old output",
    body: jsonBody(gcRequestSchema),
    response: json(gcResponseSchema),
    errors: [],
  },
  listOrphans: {
    method: "GET",
    path: "/v1/orphans",
    tag: "server",
    summary: "List boxes that an engine has and the database does not",
    response: json(z.array(orphanSchema)),
    errors: ["RUNTIME_ERROR"],
  },
  adoptOrphan: {
    method: "POST",
    path: "/v1/orphans/{id}:adopt",
    tag: "server",
    summary: "Take a box in again that the database does not know; without its name if another one has that",
    response: json(boxSchema),
    errors: [...boxMissing, "RUNTIME_ERROR"],
  },
  removeOrphan: {
    method: "DELETE",
    path: "/v1/orphans/{id}",
    tag: "server",
    summary: "End a box that the database does not know, and destroy its disk",
    response: json(okSchema),
    errors: [...boxMissing, "RUNTIME_ERROR"],
  },
  getInfo: {
    method: "GET",
    path: "/v1/info",
    tag: "server",
    summary: "The server's version, engine, limits and what is used of them",
    response: json(infoSchema),
    errors: [],
  },
  getUsage: {
    method: "GET",
    path: "/v1/usage",
    tag: "server",
    summary: "What takes how much of the host's disk",
    response: json(usageSchema),
    errors: [],
  },
  getFindings: {
    method: "GET",
    path: "/v1/doctor",
    tag: "server",
    summary: "What boxes need on the server's host, and whether it is there: as `boxrun doctor` shows it",
    response: json(z.array(findingSchema)),
    errors: [],
  },
  streamEvents: {
    method: "GET",
    path: "/v1/events",
    tag: "server",
    summary: "Follow every change of state of boxes and execs",
    response: { kind: "events", events: { box: boxSchema, box_removed: boxRemovedSchema, exec: execSchema } },
    errors: [],
  },
  getHealth: {
    method: "GET",
    path: "/healthz",
    tag: "server",
    summary: "Whether the server answers; needs no token",
    response: json(healthSchema),
    errors: [],
  },
  getMetrics: {
    method: "GET",
    path: "/metrics",
    tag: "server",
    summary: "Metrics for Prometheus",
    response: { kind: "bytes", mediaTypes: ["text/plain"], description: "Prometheus text format." },
    errors: [],
  },
  getOpenApi: {
    method: "GET",
    path: "/openapi.json",
    tag: "server",
    summary: "This document",
    response: json(z.record(z.string(), z.unknown())),
    errors: [],
  },
} as const satisfies Record<string, Operation>;
