import type { FastifyReply, FastifyRequest } from "fastify";
import type { Handlers } from "../register.ts";
import type { Context } from "./context.ts";

export function mcpHandlers({ mcp }: Context): Pick<Handlers, "callMcp" | "streamMcp" | "endMcp"> {
  const answer = async (
    { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
    { body, ephemeral = false }: { readonly body?: unknown; readonly ephemeral?: boolean } = {},
  ) => {
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) reply.raw.setHeader(name, value);
    await mcp.handle(request.raw, reply.raw, { body, ephemeral });
    return reply;
  };
  return {
    callMcp: (call) => answer(call, { body: call.body, ephemeral: call.query.ephemeral }),
    streamMcp: (call) => answer(call),
    endMcp: (call) => answer(call),
  };
}
