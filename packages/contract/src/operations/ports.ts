import { z } from "zod";
import { listeningPortSchema, portClientMessageSchema, portServerMessageSchema } from "../ports.ts";
import type { Operation } from "./operation.ts";
import { boxCounts, boxNeeded, json } from "./parts.ts";

export const portOperations = {
  listPorts: {
    method: "GET",
    path: "/v1/boxes/{id}/ports",
    tag: "ports",
    summary: "List the TCP ports on which something in the box listens",
    response: json(z.array(listeningPortSchema)),
    errors: [...boxNeeded, "NOT_SUPPORTED"],
  },
  connectPort: {
    method: "GET",
    path: "/v1/boxes/{id}/ports/{port}",
    tag: "ports",
    summary: "Connect to a TCP port of the box, on its own loopback, over a WebSocket; the box needs no network",
    response: { kind: "websocket", client: portClientMessageSchema, server: portServerMessageSchema },
    errors: [...boxCounts, "PORT_REFUSED", "NOT_SUPPORTED"],
  },
} as const satisfies Record<string, Operation>;
