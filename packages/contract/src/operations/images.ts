import { z } from "zod";
import { okSchema } from "../box.ts";
import { errorBodySchema } from "../error-body.ts";
import {
  imageDetailsSchema,
  imageSchema,
  importImageQuerySchema,
  pullImageRequestSchema,
  pullProgressSchema,
} from "../images.ts";
import type { Operation } from "./operation.ts";
import { json, jsonBody } from "./parts.ts";

export const imageOperations = {
  listImages: {
    method: "GET",
    path: "/v1/images",
    tag: "images",
    summary: "List the images that are here",
    response: json(z.array(imageSchema)),
    errors: ["RUNTIME_ERROR"],
  },
  pullImage: {
    method: "POST",
    path: "/v1/images:pull",
    tag: "images",
    summary: "Pull an image from its registry, telling the progress; also when it is here already",
    body: jsonBody(pullImageRequestSchema),
    response: {
      kind: "events",
      events: {
        progress: pullProgressSchema,
        done: imageSchema,
        error: errorBodySchema,
      },
    },
    errors: [],
  },
  importImage: {
    method: "POST",
    path: "/v1/images:import",
    tag: "images",
    summary: "Import the images of an OCI layout tar or a docker-archive",
    query: importImageQuerySchema,
    body: { kind: "bytes", description: "A tar." },
    response: json(z.array(imageSchema)),
    errors: ["VALIDATION_ERROR", "RUNTIME_ERROR"],
  },
  getImage: {
    method: "GET",
    path: "/v1/images/{reference}",
    tag: "images",
    summary: "What an image that is here is, and what it sets for boxes; `/` in the reference is written %2F",
    response: json(imageDetailsSchema),
    errors: ["IMAGE_NOT_FOUND", "RUNTIME_ERROR"],
  },
  removeImage: {
    method: "DELETE",
    path: "/v1/images/{reference}",
    tag: "images",
    summary: "Remove an image that no box uses; `/` in the reference is written %2F",
    response: json(okSchema),
    errors: ["VALIDATION_ERROR", "IMAGE_NOT_FOUND", "IMAGE_IN_USE", "RUNTIME_ERROR"],
  },
} as const satisfies Record<string, Operation>;
