import { idempotencyKeyHeader, idempotencyKeySchema, replayedHeader } from "@boxrun/contract";
import type { FastifyReply, FastifyRequest } from "fastify";
import { validate } from "../validation.ts";

/** The key of a request, and what becomes of one that was there before: its answer says so, and it is no part of the history. */
export function repeatable(request: FastifyRequest, reply: FastifyReply) {
  const header = request.headers[idempotencyKeyHeader];
  return {
    key: header === undefined ? undefined : validate(idempotencyKeySchema, String(header), "Idempotency-Key"),
    onRepeat: () => {
      request.happened = undefined;
      reply.header(replayedHeader, "true");
    },
  };
}
