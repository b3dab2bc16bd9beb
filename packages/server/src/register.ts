import type { Readable } from "node:stream";
import {
  BoxRunError,
  type Operation,
  type OperationId,
  operationIds,
  operations,
  type PathParameter,
} from "@boxrun/contract";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { readJson, readStream } from "./body.ts";
import type { HistoryRecorder } from "./history/recorder.ts";
import { jsonArray } from "./json-array.ts";
import { requirePlain } from "./plain-json.ts";
import { validate } from "./validation.ts";

type Operations = typeof operations;

/** A call of an operation, as its handler sees it: everything is parsed. */
interface Call<Id extends OperationId> {
  readonly path: Readonly<Record<PathParameter<Operations[Id]["path"]>, string>>;
  readonly query: Operations[Id] extends { readonly query: infer Q extends z.ZodType } ? z.output<Q> : undefined;
  /** JSON, parsed; a stream of the bytes; or nothing: a form is the handler's to read. */
  readonly body: BodyOf<Operations[Id]>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

type BodyOf<O> = O extends { readonly body: { readonly kind: "json"; readonly schema: infer S extends z.ZodType } }
  ? z.output<S>
  : O extends { readonly body: { readonly kind: "bytes" } }
    ? Readable
    : undefined;

/** What is answered as JSON; a handler of anything else sends it itself, and returns the reply. */
type ResultOf<O> = O extends {
  readonly response: { readonly kind: "json"; readonly schema: infer S extends z.ZodType };
}
  ?
      | z.output<S>
      | PiecesOf<z.output<S>>
      | (O extends { readonly response: { readonly events: object } } ? FastifyReply : never)
  : FastifyReply;

/** An array may come piece by piece: it is sent as it comes. */
type PiecesOf<Result> = Result extends readonly (infer Item)[] ? AsyncIterable<Item> : never;

/** One handler for each operation of the contract, no more and no less. */
export type Handlers = { readonly [Id in OperationId]: (call: Call<Id>) => Promise<ResultOf<Operations[Id]>> };

/** What goes on around every call. */
interface Around {
  readonly onCall: (request: FastifyRequest, id: OperationId, path: Readonly<Record<string, string>>) => void;
  /** Resolves once the operation may be done. */
  readonly before: (id: OperationId, path: Readonly<Record<string, string>>, reply: FastifyReply) => Promise<void>;
  readonly track: <T>(work: Promise<T>) => Promise<T>;
  readonly history: Pick<HistoryRecorder, "begin">;
}

/** Makes a route of every operation. Those that differ in their `:action` alone share one. */
export function registerOperations(
  app: FastifyInstance,
  handlers: Handlers,
  { onCall, before, track, history }: Around,
): void {
  const answer = async <Id extends OperationId>(
    id: Id,
    path: Readonly<Record<string, string>>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<unknown> => {
    onCall(request, id, path);
    const operation: Operation = operations[id];
    const query: unknown =
      operation.query === undefined ? undefined : validate(operation.query, request.query, "query");
    await before(id, path, reply);
    const body = await readBody(operation, request);
    // The table says what they are; only the compiler can't follow it from `unknown`.
    const call = { path, query, body, request, reply } as Call<Id>;
    request.happened = history.begin(request, id, call);
    const result = await handlers[id](call).catch((error: unknown) => {
      request.happened?.({ error });
      throw error;
    });
    request.happened?.({ result });
    // A reply that is awaited, as this one was, leaves nothing behind.
    if (operation.response.kind !== "json" || reply.sent) return result;
    reply.status(operation.response.status);
    if (!isAsyncIterable(result)) return reply.send(result);
    return reply.type("application/json; charset=utf-8").send(await jsonArray(result));
  };
  for (const route of routes()) {
    app.route({
      method: route.method,
      url: route.url,
      config: { operationIds: route.operationIds },
      handler: (request, reply) => {
        const { id, path } = route.resolve(parametersOf(request));
        return track(answer(id, path, request, reply));
      },
    });
  }
}

function isAsyncIterable(result: unknown): result is AsyncIterable<unknown> {
  return typeof result === "object" && result !== null && Symbol.asyncIterator in result;
}

function parametersOf(request: FastifyRequest): Readonly<Record<string, string>> {
  const { params } = request;
  return typeof params === "object" && params !== null ? { ...params } : {};
}

async function readBody({ body }: Operation, request: FastifyRequest): Promise<unknown> {
  if (body?.kind === "json") return validate(body.schema, requirePlain(await readJson(request.raw)), "body");
  return body?.kind === "bytes" ? readStream(request.raw) : undefined;
}

export interface OperationRoute {
  readonly method: Operation["method"];
  /** In Fastify's terms. */
  readonly url: string;
  readonly operationIds: readonly OperationId[];
  /** Which operation is meant, and its path parameters. */
  resolve(parameters: Readonly<Record<string, string>>): {
    readonly id: OperationId;
    readonly path: Readonly<Record<string, string>>;
  };
}

/** The routes that serve the contract's table. */
export function routes(): OperationRoute[] {
  const plain: OperationRoute[] = [];
  const actions = new Map<
    string,
    { readonly method: Operation["method"]; readonly base: string; readonly ids: Map<string, OperationId> }
  >();
  for (const id of operationIds) {
    const { method, path } = operations[id];
    const [, base, action] = path.match(/^(.+):(\w+)$/) ?? [];
    if (base === undefined || action === undefined) {
      plain.push({
        method,
        url: fastifyUrl(path),
        operationIds: [id],
        resolve: (parameters) => ({ id, path: parameters }),
      });
      continue;
    }
    const key = `${method} ${base}`;
    const group = actions.get(key) ?? { method, base, ids: new Map<string, OperationId>() };
    group.ids.set(action, id);
    actions.set(key, group);
  }
  return [...plain, ...[...actions.values()].map(({ method, base, ids }) => actionRoute(method, base, ids))];
}

/** `{id}:start`: the action is what stands behind the last colon of the last segment. */
function actionRoute(method: Operation["method"], base: string, ids: ReadonlyMap<string, OperationId>): OperationRoute {
  const last = base.slice(base.lastIndexOf("/") + 1);
  const name = last.match(/^\{(\w+)\}$/)?.[1];
  const parameter = name ?? "collection";
  return {
    method,
    url: `${fastifyUrl(base.slice(0, -last.length))}:${parameter}`,
    operationIds: [...ids.values()],
    resolve: (parameters) => {
      const segment = parameters[parameter] ?? "";
      const colon = segment.lastIndexOf(":");
      const subject = colon < 0 ? segment : segment.slice(0, colon);
      if (name === undefined && subject !== last)
        throw new BoxRunError("NOT_FOUND", "There is nothing at this address");
      const known = [...ids.keys()].map((action) => `:${action}`).join(", ");
      const id = ids.get(segment.slice(colon + 1));
      if (colon < 0) throw invalidAction(`Missing action in the URL: it takes one of ${known} at its end`);
      if (id === undefined) throw invalidAction(`Unknown action in the URL: known are ${known}`);
      return { id, path: name === undefined ? {} : { ...parameters, [name]: subject } };
    },
  };
}

function invalidAction(message: string): BoxRunError {
  return new BoxRunError("VALIDATION_ERROR", message, { status: 400 });
}

function fastifyUrl(path: string): string {
  return path.replace(/\{(\w+)\}/g, ":$1");
}
