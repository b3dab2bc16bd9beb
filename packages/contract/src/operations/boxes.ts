import { z } from "zod";
import {
  boxListQuerySchema,
  boxQuerySchema,
  boxSchema,
  createBoxRequestSchema,
  okSchema,
  removeBoxQuerySchema,
  stopBoxQuerySchema,
  stoppedBoxSchema,
} from "../box.ts";
import { idempotencyHeadersSchema } from "../idempotency.ts";
import { commitRequestSchema, imageSchema } from "../images.ts";
import { extendRequestSchema } from "../lifetime.ts";
import type { Operation } from "./operation.ts";
import { boxMissing, boxNeeded, bringUp, created, json, jsonBody, repeatable } from "./parts.ts";

export const boxOperations = {
  createBox: {
    method: "POST",
    path: "/v1/boxes",
    tag: "boxes",
    summary: "Create a box and wait until it runs",
    headers: idempotencyHeadersSchema,
    body: jsonBody(createBoxRequestSchema),
    response: created(boxSchema),
    errors: ["NAME_ALREADY_EXISTS", ...bringUp, ...repeatable, ...boxMissing],
  },
  listBoxes: {
    method: "GET",
    path: "/v1/boxes",
    tag: "boxes",
    summary:
      "List boxes, newest first, at most 10,000 or a page of them; where there are more, the header boxrun-next-cursor says where they go on",
    query: boxListQuerySchema,
    response: json(z.array(boxSchema)),
    errors: [],
  },
  getBox: {
    method: "GET",
    path: "/v1/boxes/{id}",
    tag: "boxes",
    summary: "Get a box",
    query: boxQuerySchema,
    response: json(boxSchema),
    errors: boxMissing,
  },
  startBox: {
    method: "POST",
    path: "/v1/boxes/{id}:start",
    tag: "boxes",
    summary: "Start a stopped or dead box on the disk that it has",
    response: json(boxSchema),
    errors: [...boxMissing, "BOX_ALREADY_RUNNING", ...bringUp],
  },
  stopBox: {
    method: "POST",
    path: "/v1/boxes/{id}:stop",
    tag: "boxes",
    summary: "Stop a running box; its disk is kept",
    query: stopBoxQuerySchema,
    response: json(stoppedBoxSchema),
    errors: boxNeeded,
  },
  extendBox: {
    method: "POST",
    path: "/v1/boxes/{id}:extend",
    tag: "boxes",
    summary: "Set when a box expires, in seconds from now, or that it does not",
    body: jsonBody(extendRequestSchema),
    response: json(boxSchema),
    errors: boxMissing,
  },
  commitBox: {
    method: "POST",
    path: "/v1/boxes/{id}:commit",
    tag: "boxes",
    summary: "Make an image of a stopped box, of which other boxes can be made",
    body: jsonBody(commitRequestSchema),
    response: created(imageSchema),
    errors: [
      ...boxMissing,
      "VALIDATION_ERROR",
      "BOX_ALREADY_RUNNING",
      "NAME_ALREADY_EXISTS",
      "RESOURCE_EXCEEDED",
      "BOX_UNREACHABLE",
      "CANCELED",
      "RUNTIME_ERROR",
    ],
  },
  removeBox: {
    method: "DELETE",
    path: "/v1/boxes/{id}",
    tag: "boxes",
    summary: "Remove a box with its disk, its execs and their output",
    query: removeBoxQuerySchema,
    response: json(okSchema),
    errors: [...boxMissing, "BOX_ALREADY_RUNNING", "RUNTIME_ERROR"],
  },
} as const satisfies Record<string, Operation>;
