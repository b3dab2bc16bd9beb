import type { OperationId } from "@boxrun/contract";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Logger } from "pino";
import type { Metrics } from "./metrics.ts";

/** What a request is about, for its line in the log. */
interface Subject {
  box_id?: string;
  /** Only where no box has that name. */
  box?: string;
  exec_id?: string;
}

declare module "fastify" {
  interface FastifyRequest {
    operationId?: OperationId;
    subject?: Subject;
    errorCode?: string;
    /** Its connection became a WebSocket. */
    upgraded?: true;
    /** Tells the history what has become of the call, the first time. To be called by what goes on for long, once it has begun. */
    happened?: ((outcome: { readonly result?: unknown; readonly error?: unknown }) => void) | undefined;
  }
  interface FastifyContextConfig {
    operationIds?: readonly OperationId[];
    /** A part of the dashboard: the same for whoever asks. */
    isPage?: true;
  }
}

/** Asked for all the time, by programs, and nothing happens: not worth a line at the usual level. Nor are the parts of the dashboard. */
const quiet: ReadonlySet<OperationId | undefined> = new Set(["getHealth", "getMetrics"]);

/** Writes one line when the request is over, answered or not. Never the query, a header or a body: there may be secrets in them. */
export function logRequest(request: FastifyRequest, reply: FastifyReply, logger: Logger, metrics: Metrics): void {
  const begunAtMs = performance.now();
  reply.raw.once("close", () => {
    const { operationId, errorCode, upgraded } = request;
    // Nothing was answered to a caller that hung up before.
    const status = upgraded ? 101 : reply.raw.headersSent ? reply.raw.statusCode : undefined;
    const fields = {
      req_id: request.id,
      method: request.method,
      path: (request.url.split("?")[0] ?? "").slice(0, 300),
      status,
      duration_ms: Math.round((performance.now() - begunAtMs) * 10) / 10,
      operation: operationId,
      ...request.subject,
      error_code: errorCode,
      hung_up: upgraded || reply.raw.writableFinished ? undefined : true,
    };
    if (quiet.has(operationId) || request.routeOptions.config.isPage) logger.debug(fields, "request");
    else logger.info(fields, "request");
    metrics.request({
      method: request.method,
      operation: operationId ?? (request.routeOptions.config.isPage ? "ui" : "none"),
      status: status ?? "hung_up",
    });
  });
}
