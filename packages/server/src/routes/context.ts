import { nextCursorHeader } from "@boxrun/contract";
import type { BoxRunCore, Page } from "@boxrun/core";
import type { FastifyReply } from "fastify";
import type { Logger } from "pino";
import { callerHungUp } from "../body.ts";
import type { Lifetime } from "../lifetime.ts";
import type { ListingPlaces } from "../listing-places.ts";
import type { Mcp } from "../mcp.ts";
import type { Metrics } from "../metrics.ts";
import { type SharedSending, type SseSource, sendEvents } from "../sse.ts";

/** What the handlers work with. */
export interface Context {
  readonly core: BoxRunCore;
  readonly lifetime: Lifetime;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly version: string;
  /** An existing directory for uploads that can't be passed on at once. */
  readonly spoolDir: string;
  readonly stateDir: string;
  readonly dbPath: string;
  readonly socketPath: string;
  readonly cacheDir: string;
  readonly heartbeatMs: number;
  readonly sending: SharedSending;
  readonly listings: ListingPlaces;
  readonly mcp: Mcp;
  /** How long a request waits for boxes that are being taken over; by default as `untilRecovered` says. */
  readonly recoveryWaitMs?: number | undefined;
}

/** Aborts when the caller hangs up, or when the server has no more time. For work that is of use to this caller alone. */
export function callerSignal(reply: FastifyReply, lifetime: Lifetime): AbortSignal {
  const controller = new AbortController();
  const { givingUp } = lifetime;
  const giveUp = () => controller.abort(givingUp.reason);
  givingUp.addEventListener("abort", giveUp);
  if (givingUp.aborted) giveUp();
  reply.raw.once("close", () => {
    givingUp.removeEventListener("abort", giveUp);
    if (!reply.raw.writableFinished) controller.abort(callerHungUp());
  });
  return controller.signal;
}

/** Answers with a stream of server-sent events. */
export async function answerEvents(reply: FastifyReply, context: Context, source: SseSource): Promise<FastifyReply> {
  await sendEvents(reply, source, {
    lifetime: context.lifetime,
    readers: context.metrics.sseReaders,
    heartbeatMs: context.heartbeatMs,
    sending: context.sending,
    onError: (error) => context.logger.error({ req_id: reply.request.id, err: error }, "event stream broke off"),
  });
  return reply;
}

/** A page as a list always was; where it goes on is said beside it. */
export function itemsOf<T>({ items, next }: Page<T>, reply: FastifyReply): T[] {
  if (next !== undefined) reply.header(nextCursorHeader, next);
  return items;
}
