import { z } from "zod";

/** `/mcp`: the Model Context Protocol, whose messages are its own affair. What they say is in docs/mcp.md. */
export const mcpMessageSchema = z.looseObject({ jsonrpc: z.literal("2.0") });

export const mcpMessagesSchema = z.union([mcpMessageSchema, z.array(mcpMessageSchema)]);

export const mcpErrorSchema = z.object({
  jsonrpc: z.literal("2.0"),
  error: z.object({ code: z.int(), message: z.string(), data: z.unknown().optional() }),
  id: z.null(),
});

export const mcpQuerySchema = z.strictObject({
  /** Of the session that the request begins: the boxes that it makes go with it. */
  ephemeral: z.stringbool().default(false),
});

export const mcpHeadersSchema = z.object({
  /** As the answer to the request that began the session has it. */
  "mcp-session-id": z.string().optional(),
  "mcp-protocol-version": z.string().optional(),
});
