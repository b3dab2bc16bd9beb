import { z } from "zod";
import {
  boxSchema,
  boxStatusSchema,
  createBoxRequestSchema,
  okSchema,
  stoppedBoxSchema,
  volumeRequestSchema,
  volumeSchema,
} from "./box.ts";
import { errorBodySchema } from "./error-body.ts";
import { type ErrorCode, errorCodes, errorTable } from "./errors.ts";
import { boxRemovedSchema, endEventSchema, exitDataSchema, exitEventSchema, logEventSchema } from "./events.ts";
import { errorExample, type OperationExample, operationExamples } from "./examples.ts";
import {
  execRequestSchema,
  execSchema,
  execStatusSchema,
  runRequestSchema,
  runResponseSchema,
  signalRequestSchema,
  terminalSizeSchema,
} from "./exec.ts";
import { downloadRequestSchema, fileEntrySchema, uploadResponseSchema } from "./files.ts";
import { historyEntrySchema } from "./history.ts";
import { imageDetailsSchema, imageSchema, pullImageRequestSchema, pullProgressSchema } from "./images.ts";
import {
  engineInfoSchema,
  gcRequestSchema,
  gcResponseSchema,
  healthSchema,
  infoSchema,
  poolInfoSchema,
} from "./info.ts";
import { mcpErrorSchema } from "./mcp.ts";
import { commonErrors, type EventSchemas, type Operation } from "./operations/operation.ts";
import { operationIds, operations } from "./operations.ts";
import { orphanSchema } from "./orphans.ts";
import { listeningPortSchema } from "./ports.ts";
import { sessionSchema, terminalClientMessageSchema, terminalServerMessageSchema } from "./sessions.ts";
import { signedInSchema, signInLinkSchema } from "./sign-in.ts";
import { boxStatsSchema, statsHistorySchema, statsOverviewSchema } from "./stats.ts";
import { idempotencyKeyHeader, nextCursorHeader, replayedHeader } from "./urls.ts";
import { usageSchema } from "./usage.ts";

/** What clients call the schemas of request bodies: as a caller writes them, defaults optional. */
const requestNames = new Map<z.ZodType, string>([
  [createBoxRequestSchema, "CreateBoxRequest"],
  [volumeRequestSchema, "VolumeRequest"],
  [execRequestSchema, "ExecRequest"],
  [terminalSizeSchema, "TerminalSize"],
  [signalRequestSchema, "SignalRequest"],
  [terminalClientMessageSchema, "TerminalClientMessage"],
  [downloadRequestSchema, "DownloadRequest"],
  [pullImageRequestSchema, "PullImageRequest"],
  [runRequestSchema, "RunRequest"],
  [gcRequestSchema, "GcRequest"],
]);

/** Of what the server sends: as it is sent, every key there. */
const responseNames = new Map<z.ZodType, string>([
  [errorBodySchema, "Error"],
  [boxSchema, "Box"],
  [boxStatusSchema, "BoxStatus"],
  [volumeSchema, "Volume"],
  [okSchema, "Ok"],
  [execSchema, "Exec"],
  [execStatusSchema, "ExecStatus"],
  [runResponseSchema, "RunResponse"],
  [logEventSchema, "LogEvent"],
  [exitEventSchema, "ExitEvent"],
  [endEventSchema, "EndEvent"],
  [exitDataSchema, "ExitData"],
  [boxRemovedSchema, "BoxRemoved"],
  [sessionSchema, "Session"],
  [signedInSchema, "SignedIn"],
  [signInLinkSchema, "SignInLink"],
  [boxStatsSchema, "BoxStats"],
  [historyEntrySchema, "HistoryEntry"],
  [statsHistorySchema, "StatsHistory"],
  [statsOverviewSchema, "StatsOverview"],
  [listeningPortSchema, "ListeningPort"],
  [stoppedBoxSchema, "StoppedBox"],
  [orphanSchema, "Orphan"],
  [usageSchema, "Usage"],
  [terminalServerMessageSchema, "TerminalServerMessage"],
  [mcpErrorSchema, "McpError"],
  [uploadResponseSchema, "UploadResponse"],
  [fileEntrySchema, "FileEntry"],
  [imageSchema, "Image"],
  [imageDetailsSchema, "ImageDetails"],
  [pullProgressSchema, "PullProgress"],
  [engineInfoSchema, "EngineInfo"],
  [poolInfoSchema, "PoolInfo"],
  [infoSchema, "Info"],
  [gcResponseSchema, "GcResponse"],
  [healthSchema, "Health"],
]);

type Json = Record<string, unknown>;

/** The OpenAPI 3.1 document, derived from the table of operations. Built anew at each call: keep it. */
export function openApiDocument(version: string): Json {
  const requests = new SchemaWriter(requestNames, "input");
  const responses = new SchemaWriter(responseNames, "output");
  const paths: Record<string, Json> = {};
  for (const id of operationIds) {
    const operation: Operation = operations[id];
    const example = operationExamples[id] ?? {};
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method.toLowerCase()]: {
        operationId: id,
        tags: [operation.tag],
        summary: operation.summary,
        ...parameters(operation, requests),
        ...requestBody(operation, requests, example),
        responses: {
          ...withAnswerHeaders(operation, success(operation, responses, requests, example)),
          ...failures(operation),
          ...refusals(operation, responses),
        },
      },
    };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "BoxRun",
      version,
      description:
        "Real Linux microVMs behind one small self-hosted server. Also served over the Unix socket ~/.boxrun/boxrun.sock.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "http://127.0.0.1:9090" }],
    // Without a token: over the Unix socket, and over loopback for the user that runs the server.
    security: [{}, { token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: { ...requests.components(), ...responses.components(), Error: errorSchema },
    },
  };
}

/** Stricter than what a client parses: the document lists the codes that this version has. */
const errorSchema = {
  type: "object",
  properties: {
    code: { type: "string", enum: errorCodes },
    message: { type: "string", description: "For a person: the operation, the thing and the cause." },
    details: { type: "object", additionalProperties: true, description: "For a program." },
  },
  required: ["code", "message"],
};

/** Writes schemas with references to the named ones. */
class SchemaWriter {
  readonly #names: ReadonlyMap<z.ZodType, string>;
  readonly #io: "input" | "output";

  constructor(names: ReadonlyMap<z.ZodType, string>, io: "input" | "output") {
    this.#names = names;
    this.#io = io;
  }

  components(): Record<string, Json> {
    const registry = z.registry<{ id: string }>();
    for (const [schema, id] of this.#names) registry.add(schema, { id });
    const { schemas } = z.toJSONSchema(registry, { ...this.#options(), uri: reference });
    return Object.fromEntries(Object.entries(schemas).map(([name, { $schema, $id, id, ...schema }]) => [name, schema]));
  }

  /** A reference where the schema, or what it is an array of, has a name. */
  schema(schema: z.ZodType): Json {
    const name = this.#names.get(schema);
    if (name !== undefined) return { $ref: reference(name) };
    if (schema instanceof z.ZodArray && schema.element instanceof z.ZodType) {
      return { type: "array", items: this.schema(schema.element) };
    }
    const { $schema, ...written } = z.toJSONSchema(schema, this.#options());
    return written;
  }

  #options() {
    const io = this.#io;
    return {
      target: "draft-2020-12",
      io,
      override: ({ jsonSchema }: { jsonSchema: Json }) => {
        // What JavaScript can count is no limit that a reader wants to know.
        if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
        if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
        // As every reader of patterns takes it, not only JavaScript's.
        if (typeof jsonSchema.pattern === "string")
          jsonSchema.pattern = jsonSchema.pattern.replaceAll("\\0", "\\u0000").replaceAll("\\/", "/");
        if (io === "input") return;
        // A later server may send other things than this one: clients must not refuse them.
        if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
        for (const rule of ["pattern", "maxLength", "propertyNames", "default"]) delete jsonSchema[rule];
      },
    } as const;
  }
}

function reference(name: string): string {
  return `#/components/schemas/${name}`;
}

function parameters({ path, query, headers }: Operation, writer: SchemaWriter): Json {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
    description: name === undefined ? undefined : pathParameters[name],
  }));
  const named = (schema: z.ZodObject | undefined, place: "query" | "header") => {
    const written = schema && writer.schema(schema);
    const required = Array.isArray(written?.required) ? written.required : [];
    return Object.entries(Object(written?.properties)).map(([name, schema]) => ({
      name,
      in: place,
      required: required.includes(name),
      schema,
    }));
  };
  const all = [...inPath, ...named(query, "query"), ...named(headers, "header")];
  return all.length === 0 ? {} : { parameters: all };
}

const pathParameters: Readonly<Record<string, string>> = {
  id: "A box's id or name, or the beginning of its id, with at least 4 characters behind `box_`, where no other box's begins so.",
  exec_id:
    "An exec's id, or the beginning of it, with at least 4 characters behind `exec_`, where no other exec's of the box begins so.",
  name: "A session's name.",
  reference: "An image's reference.",
};

function requestBody({ body }: Operation, writer: SchemaWriter, { body: example }: OperationExample): Json {
  if (body === undefined) return {};
  const shown = example === undefined ? {} : { example };
  if (body.kind === "json") {
    // An empty body counts as `{}`.
    const required = !body.schema.safeParse({}).success;
    const content = { "application/json": { schema: writer.schema(body.schema), ...shown } };
    return { requestBody: { required, content } };
  }
  if (body.kind === "bytes") {
    return {
      requestBody: { required: true, description: body.description, content: { "application/octet-stream": {} } },
    };
  }
  const { properties, required } = writer.schema(body.schema);
  const schema = {
    type: "object",
    properties: {
      ...Object(properties),
      file: { type: "string", contentMediaType: "application/octet-stream", description: body.fileDescription },
    },
    required: [...(Array.isArray(required) ? required : []), "file"],
  };
  const encoding = { file: { contentType: "application/octet-stream" } };
  return { requestBody: { required: true, content: { "multipart/form-data": { schema, encoding, ...shown } } } };
}

/** Where a list goes on, and whether an answer was given before. */
function withAnswerHeaders({ query, headers: asked }: Operation, answers: Json): Json {
  const headers: Json = {};
  if (query?.shape.cursor !== undefined) {
    const description = "The `cursor` of the list's next page; missing on its last one.";
    headers[nextCursorHeader] = { description, schema: { type: "string" } };
  }
  if (asked?.shape[idempotencyKeyHeader] !== undefined) {
    const description = "`true` where the request's key was there before; else missing.";
    headers[replayedHeader] = { description, schema: { const: "true" } };
  }
  if (Object.keys(headers).length === 0) return answers;
  return Object.fromEntries(
    Object.entries(answers).map(([status, answer]) => [status, { ...Object(answer), headers }]),
  );
}

function success(
  { response }: Operation,
  writer: SchemaWriter,
  requests: SchemaWriter,
  { answer, events: exampleEvents }: OperationExample,
): Json {
  const json = (schema: z.ZodType) => ({
    "application/json": { schema: writer.schema(schema), ...(answer === undefined ? {} : { example: answer }) },
  });
  const events = (schemas: EventSchemas) => eventContent(schemas, writer, exampleEvents);
  switch (response.kind) {
    case "json": {
      const answers = {
        [response.status]: {
          description: response.status === 201 ? "Created" : "OK",
          content: json(response.schema),
        },
      };
      if (response.events === undefined) return answers;
      const stream = eventStream(response.events, events(response.events));
      if (response.status !== 200) return { ...answers, ...stream };
      const content = { ...json(response.schema), ...events(response.events) };
      return { 200: { description: `JSON, or: ${stream[200].description}`, content } };
    }
    case "bytes":
      return {
        200: {
          description: response.description,
          content: Object.fromEntries(response.mediaTypes.map((type) => [type, {}])),
        },
      };
    case "events":
      return eventStream(response.events, events(response.events));
    case "protocol":
      return Object.fromEntries(
        Object.entries(response.answers).map(([status, said]) => {
          const content = { ...(said.json && json(said.json)), ...(said.events && events(said.events)) };
          const isEmpty = Object.keys(content).length === 0;
          return [status, { description: said.description, ...(isEmpty ? {} : { content }) }];
        }),
      );
    case "websocket":
      return {
        101: {
          description: "A WebSocket: binary frames are bytes, text frames JSON. `x-messages` has the schemas of these.",
          "x-messages": { client: requests.schema(response.client), server: writer.schema(response.server) },
        },
      };
  }
}

function eventStream(events: EventSchemas, content: Json): { 200: { description: string; content: Json } } {
  const description = `Server-sent events: ${Object.keys(events).join(", ")}. \`x-events\` has the schema of each one's data.`;
  return { 200: { description, content } };
}

/** `schema` is that of each event of the stream, whose `data` is JSON. */
function eventContent(events: EventSchemas, writer: SchemaWriter, shown: OperationExample["events"]): Json {
  const schemas = Object.entries(events).map(([event, schema]) => [event, writer.schema(schema)] as const);
  const oneOf = schemas.map(([event, contentSchema]) => ({
    type: "object",
    properties: {
      event: { const: event },
      id: { type: "string" },
      data: { type: "string", contentMediaType: "application/json", contentSchema },
    },
    required: ["event", "data"],
  }));
  const example = shown?.map(([event, data]) => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join("");
  return {
    "text/event-stream": {
      schema: { oneOf },
      ...(example === undefined ? {} : { example }),
      "x-events": Object.fromEntries(schemas),
    },
  };
}

/** An error with one of these codes. */
function failure(codes: readonly ErrorCode[]): Json {
  const examples = Object.fromEntries(codes.map((code) => [code, { value: errorExample(code) }]));
  const schema = { allOf: [{ $ref: reference("Error") }, { properties: { code: { enum: codes } } }] };
  return { description: codes.join(", "), content: { "application/json": { schema, examples } } };
}

/** What another protocol refuses, beside what is refused before it is asked. */
function refusals(operation: Operation, writer: SchemaWriter): Json {
  if (operation.response.kind !== "protocol") return {};
  const { schema, statuses } = operation.response.refusals;
  return Object.fromEntries(
    Object.entries(statuses).map(([status, description]) => [
      status,
      { description, content: { "application/json": { schema: writer.schema(schema) } } },
    ]),
  );
}

/** A body that is not sent as JSON. */
const mediaTypeUnknown = 415;
/** A request that does not ask for a WebSocket, or for another version of it. */
const upgradeRequired = 426;
const headersTooLarge = 431;

function failures(operation: Operation): Json {
  const codes = new Set<ErrorCode>([...operation.errors, ...commonErrors]);
  // A box's and an exec's id may be given by its beginning, which can be that of several.
  if (operation.query !== undefined || operation.body?.kind === "json" || /\{(id|exec_id)\}/.test(operation.path))
    codes.add("VALIDATION_ERROR");
  if (operation.body?.kind === "json") codes.add("PAYLOAD_TOO_LARGE");
  const byStatus = new Map<number, ErrorCode[]>();
  const add = (status: number, code: ErrorCode) => byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  for (const code of codes) add(errorTable[code].status, code);
  if (operation.body?.kind === "form") add(400, "VALIDATION_ERROR");
  if (operation.body?.kind === "json") add(mediaTypeUnknown, "VALIDATION_ERROR");
  if (operation.response.kind === "websocket")
    for (const status of [400, upgradeRequired]) add(status, "VALIDATION_ERROR");
  add(headersTooLarge, "VALIDATION_ERROR");
  return Object.fromEntries([...byStatus].map(([status, listed]) => [status, failure([...new Set(listed)])]));
}
