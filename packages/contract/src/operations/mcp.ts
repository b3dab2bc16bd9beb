import { mcpErrorSchema, mcpHeadersSchema, mcpMessageSchema, mcpMessagesSchema, mcpQuerySchema } from "../mcp.ts";
import type { Operation } from "./operation.ts";
import { jsonBody } from "./parts.ts";

const mcpEvents = { message: mcpMessageSchema };
const mcpRefusals = (statuses: Readonly<Record<number, string>>) => ({ schema: mcpErrorSchema, statuses }) as const;
const noMcpSession = {
  400: "No session was named, or it is no message of the protocol",
  404: "There is no such session",
};

export const mcpOperations = {
  callMcp: {
    method: "POST",
    path: "/mcp",
    tag: "mcp",
    summary: "The Model Context Protocol over streamable HTTP: a client's messages; the first one begins a session",
    query: mcpQuerySchema,
    headers: mcpHeadersSchema,
    body: jsonBody(mcpMessagesSchema),
    response: {
      kind: "protocol",
      answers: {
        200: { description: "The answer, with what comes before it", json: mcpMessagesSchema, events: mcpEvents },
        202: { description: "Taken: nothing is answered to notifications and answers" },
      },
      refusals: mcpRefusals({ ...noMcpSession, 406: "Accept has to name application/json and text/event-stream" }),
    },
    errors: [],
  },
  streamMcp: {
    method: "GET",
    path: "/mcp",
    tag: "mcp",
    summary: "The Model Context Protocol: what the server has to say beside its answers",
    headers: mcpHeadersSchema,
    response: {
      kind: "protocol",
      answers: { 200: { description: "The server's messages", events: mcpEvents } },
      refusals: mcpRefusals({
        ...noMcpSession,
        406: "Accept has to name text/event-stream",
        409: "The session has such a stream already",
      }),
    },
    errors: [],
  },
  endMcp: {
    method: "DELETE",
    path: "/mcp",
    tag: "mcp",
    summary: "The Model Context Protocol: end a session, and remove its boxes if it is an ephemeral one",
    headers: mcpHeadersSchema,
    response: {
      kind: "protocol",
      answers: { 200: { description: "It has ended" } },
      refusals: mcpRefusals(noMcpSession),
    },
    errors: [],
  },
} as const satisfies Record<string, Operation>;
