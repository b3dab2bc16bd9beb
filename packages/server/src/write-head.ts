import type { FastifyReply } from "fastify";

/** For an answer that is written past Fastify: begins it, with the headers that the reply has got and these. */
export function writeHead(reply: FastifyReply, headers: Readonly<Record<string, string | number>>): void {
  for (const [name, value] of Object.entries({ ...reply.getHeaders(), ...headers })) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  reply.raw.writeHead(200);
}
