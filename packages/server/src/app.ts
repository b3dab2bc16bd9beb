import { BoxRunError, boxIdSchema, errorTable, type OperationId, revision, revisionHeader } from "@boxrun/contract";
import multipart from "@fastify/multipart";
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from "fastify";
import type { Caller, Guard } from "./auth/guard.ts";
import { discardRest } from "./body.ts";
import { toApiError } from "./errors.ts";
import { type HistoryOptions, HistoryRecorder } from "./history/recorder.ts";
import { untilRecovered } from "./recovering.ts";
import { registerOperations } from "./register.ts";
import { logRequest } from "./request-log.ts";
import { boxHandlers } from "./routes/boxes.ts";
import type { Context } from "./routes/context.ts";
import { execHandlers } from "./routes/execs.ts";
import { fileHandlers } from "./routes/files.ts";
import { historyHandlers } from "./routes/history.ts";
import { imageHandlers } from "./routes/images.ts";
import { mcpHandlers } from "./routes/mcp.ts";
import { portHandlers } from "./routes/ports.ts";
import { serverHandlers } from "./routes/server.ts";
import { type SignInContext, signInHandlers } from "./routes/sign-in.ts";
import { statsHandlers } from "./routes/stats.ts";
import { terminalHandlers } from "./routes/terminals.ts";
import { type PageOptions, registerPage } from "./ui/page.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Where somebody has to be let in. */
    caller?: Caller;
  }
}

/** Longer than any id, name or image reference; what is longer is at no address. */
const maxPathParameter = 2048;

/** Who is calling is not asked of these; signing in asks itself. */
const openOperations: ReadonlySet<OperationId> = new Set(["getHealth", "signIn"]);

/** The HTTP application, without a socket: every operation of the contract, who may call it, and what errors look like. */
export async function buildApp(
  context: Context & {
    readonly guard: Guard;
    readonly page: PageOptions;
    readonly signIn: SignInContext;
    readonly history: HistoryOptions;
  },
): Promise<FastifyInstance> {
  const { core, guard, lifetime, logger, metrics, page } = context;
  const loggerInstance: FastifyBaseLogger = logger;
  const sendError = (error: unknown, request: FastifyRequest, reply: FastifyReply) =>
    answerError(error, request, reply, logger);
  const app = Fastify({
    loggerInstance,
    // One line of our own per request instead.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "req_id" }),
    exposeHeadRoutes: false,
    rewriteUrl: ({ url = "/" }) => withoutBase(url, page.basePath),
    return503OnClosing: false,
    genReqId: requestIds(),
    // Before there is a route, and so without the hooks.
    frameworkErrors: (error, request, reply) => {
      logRequest(request, reply, logger, metrics);
      sendError(error, request, reply);
    },
    routerOptions: { maxParamLength: maxPathParameter },
  });
  // Bodies are read as the operation's table entry says, not by what the caller calls them.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  await app.register(multipart, {
    limits: { fieldSize: 64 * 1024, fields: 100, files: 10, parts: 100, fileSize: Number.POSITIVE_INFINITY },
    // Some clients send a file without a name.
    isPartAFile: (field, _contentType, fileName) => field === "file" || fileName !== undefined,
  });
  app.addHook("onRequest", async (request, reply) => {
    logRequest(request, reply, logger, metrics);
    reply.headers({
      "x-request-id": request.id,
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      [revisionHeader]: revision,
    });
    guard.checkOrigin(request.raw);
    if (!isOpen(request)) request.caller = await guard.checkCaller(request.raw);
  });
  app.addHook("onSend", async (_request, reply) => {
    if (lifetime.ending.aborted) reply.header("connection", "close");
  });
  app.setErrorHandler(sendError);
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?")[0] ?? "";
    sendError(new BoxRunError("NOT_FOUND", `There is no ${request.method} ${clipped(path)}`), request, reply);
  });
  const history = new HistoryRecorder({ core, ...context.history });
  const handlers = {
    ...boxHandlers(context),
    ...execHandlers(context),
    ...fileHandlers(context),
    ...historyHandlers(history),
    ...imageHandlers(context),
    ...portHandlers(context),
    ...mcpHandlers(context),
    ...serverHandlers(context),
    ...signInHandlers(context.signIn),
    ...statsHandlers(context),
    ...terminalHandlers(context),
  };
  registerOperations(app, handlers, {
    onCall: (request, operationId, path) => {
      request.operationId = operationId;
      request.subject = { ...boxSubject(path.id, (name) => core.boxes.get(name).id), ...execSubject(path.exec_id) };
    },
    before: (id, path, reply) => untilRecovered({ id, box: path.id }, context, reply),
    track: (work) => lifetime.track(work),
    history,
  });
  await registerPage(app, page);
  await app.ready();
  return app;
}

/** Known before the operation is: from the route alone. */
function isOpen(request: FastifyRequest): boolean {
  const { operationIds, isPage } = request.routeOptions.config;
  return isPage ?? operationIds?.every((id) => openOperations.has(id)) ?? false;
}

/** A proxy may pass on what it put before the path, or take it off itself. */
function withoutBase(url: string, basePath: string): string {
  if (basePath === "" || !url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  if (rest === "" || rest.startsWith("?")) return `/${rest}`;
  return rest.startsWith("/") ? rest : url;
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply, logger: Context["logger"]): void {
  const apiError = toApiError(error, request.id);
  request.errorCode = apiError.code;
  const hungUp = reply.raw.destroyed;
  if (!hungUp && apiError.status >= 500) logger.error({ req_id: request.id, err: error }, "request failed");
  else if (!hungUp && apiError.code === "RUNTIME_ERROR")
    logger.warn({ req_id: request.id, err: error }, "engine failed");
  discardRest(request.raw);
  if (apiError.status === errorTable.UNAUTHORIZED.status) reply.header("www-authenticate", "Bearer");
  reply.status(apiError.status).type("application/json; charset=utf-8").send(apiError.toJSON());
}

/** Unique within the life of a log: the process's start, and a number. */
function requestIds(): () => string {
  const start = Date.now().toString(36);
  let count = 0;
  return () => {
    count += 1;
    return `${start}-${count.toString(36)}`;
  };
}

/** For the log: the box's id, or what the caller called it if there is none of that name. */
function boxSubject(idOrName: string | undefined, idOf: (name: string) => string) {
  if (idOrName === undefined) return {};
  if (boxIdSchema.safeParse(idOrName).success) return { box_id: idOrName };
  try {
    return { box_id: idOf(idOrName) };
  } catch (error) {
    if (error instanceof BoxRunError) return { box: clipped(idOrName) };
    throw error;
  }
}

function execSubject(execId: string | undefined) {
  return execId === undefined ? {} : { exec_id: clipped(execId) };
}

function clipped(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
