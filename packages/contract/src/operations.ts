import { z } from "zod";
import {
  boxListQuerySchema,
  boxQuerySchema,
  boxSchema,
  createBoxRequestSchema,
  okSchema,
  removeBoxQuerySchema,
  stopBoxQuerySchema,
  stoppedBoxSchema,
} from "./box.ts";
import { errorBodySchema } from "./error-body.ts";
import type { ErrorCode } from "./errors.ts";
import {
  boxRemovedSchema,
  endEventSchema,
  eventsHeadersSchema,
  eventsQuerySchema,
  exitEventSchema,
  logEventSchema,
} from "./events.ts";
import {
  execRequestSchema,
  execSchema,
  runRequestSchema,
  runResponseSchema,
  signalRequestSchema,
  stdinQuerySchema,
  terminalSizeSchema,
} from "./exec.ts";
import {
  changesMissingSchema,
  pathChangeSchema,
  pathRenamedSchema,
  watchMarkSchema,
  watchQuerySchema,
} from "./file-changes.ts";
import {
  downloadQuerySchema,
  downloadRequestSchema,
  fileEntrySchema,
  fileListSchema,
  makeDirectoryRequestSchema,
  pathQuerySchema,
  renameRequestSchema,
  statQuerySchema,
  uploadFormSchema,
  uploadQuerySchema,
  uploadResponseSchema,
} from "./files.ts";
import { historyEntrySchema, historyQuerySchema } from "./history.ts";
import { imageSchema, importImageQuerySchema, pullImageRequestSchema, pullProgressSchema } from "./images.ts";
import { gcRequestSchema, gcResponseSchema, healthSchema, infoSchema } from "./info.ts";
import { extendRequestSchema } from "./lifetime.ts";
import { mcpErrorSchema, mcpHeadersSchema, mcpMessageSchema, mcpMessagesSchema, mcpQuerySchema } from "./mcp.ts";
import { orphanSchema } from "./orphans.ts";
import { pageQuerySchema } from "./pages.ts";
import { listeningPortSchema, portClientMessageSchema, portServerMessageSchema } from "./ports.ts";
import {
  attachQuerySchema,
  sessionSchema,
  terminalClientMessageSchema,
  terminalServerMessageSchema,
} from "./sessions.ts";
import { signedInSchema, signInLinkSchema, signInRequestSchema } from "./sign-in.ts";
import {
  boxStatsSchema,
  statsHistorySchema,
  statsOverviewQuerySchema,
  statsOverviewSchema,
  statsQuerySchema,
} from "./stats.ts";
import { usageSchema } from "./usage.ts";

/**
 * Every operation of the API, once. The server's routes and its validation, the OpenAPI document and through it the clients all
 * follow from this table; nothing is served that is not in it.
 *
 * Paths are OpenAPI templates; `{id}` is a box's id, its beginning or a name. In `…/{id}:start` the action is what stands behind the last colon.
 */
export interface Operation {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: `/${string}`;
  readonly tag:
    | "boxes"
    | "execs"
    | "terminals"
    | "ports"
    | "files"
    | "images"
    | "server"
    | "sign-in"
    | "mcp"
    | "stats"
    | "history";
  readonly summary: string;
  readonly query?: z.ZodObject;
  /** Headers that mean something to it, for the document: they are read where they are used. */
  readonly headers?: z.ZodObject;
  readonly body?: OperationBody;
  readonly response: OperationResponse;
  /** What it can answer with besides `commonErrors`. */
  readonly errors: readonly ErrorCode[];
}

export type OperationBody =
  /** An empty body counts as `{}`. */
  | { readonly kind: "json"; readonly schema: z.ZodType }
  /** Any media type; the bytes as they come. */
  | { readonly kind: "bytes"; readonly description: string }
  /** multipart/form-data with a part `file` beside the fields of `schema`. */
  | { readonly kind: "form"; readonly schema: z.ZodObject; readonly fileDescription: string };

export type OperationResponse =
  | {
      readonly kind: "json";
      readonly status: 200 | 201;
      readonly schema: z.ZodType;
      /** What a caller whose `Accept` names `text/event-stream` gets instead: server-sent events, as below. */
      readonly events?: EventSchemas;
    }
  | { readonly kind: "bytes"; readonly mediaTypes: readonly string[]; readonly description: string }
  /** Server-sent events. */
  | { readonly kind: "events"; readonly events: EventSchemas }
  /** A WebSocket: binary frames are bytes, text frames JSON as these schemas say. */
  | { readonly kind: "websocket"; readonly client: z.ZodType; readonly server: z.ZodType }
  /** Another protocol speaks here, by its own rules, and refuses in its own words. */
  | {
      readonly kind: "protocol";
      readonly answers: Readonly<Record<number, ProtocolAnswer>>;
      readonly refusals: { readonly schema: z.ZodType; readonly statuses: Readonly<Record<number, string>> };
    };

export interface ProtocolAnswer {
  readonly description: string;
  readonly json?: z.ZodType;
  readonly events?: EventSchemas;
}

/** The schema of each server-sent event's `data`, by its `event`. */
export type EventSchemas = Readonly<Record<string, z.ZodType>>;

/** Every operation can end like this. */
export const commonErrors = [
  "UNAUTHORIZED",
  "FORBIDDEN",
  "SERVER_RECOVERING",
  "INTERNAL_ERROR",
] as const satisfies ErrorCode[];

const boxMissing = ["BOX_NOT_FOUND"] as const;
const boxNeeded = ["BOX_NOT_FOUND", "BOX_NOT_RUNNING", "BOX_UNREACHABLE", "RUNTIME_ERROR"] as const;
/** Programs and transfers of one box are counted. */
const boxCounts = [...boxNeeded, "RESOURCE_EXCEEDED"] as const;
const sessionMissing = ["BOX_NOT_FOUND", "SESSION_NOT_FOUND"] as const;
const execMissing = ["BOX_NOT_FOUND", "EXEC_NOT_FOUND"] as const;
const execNeeded = [...execMissing, "EXEC_ALREADY_FINISHED", "RUNTIME_ERROR"] as const;
const bringUp = ["RESOURCE_EXCEEDED", "IMAGE_PULL_FAILED", "TIMEOUT", "CANCELED", "RUNTIME_ERROR"] as const;

const json = <S extends z.ZodType>(schema: S) => ({ kind: "json", status: 200, schema }) as const;
const created = <S extends z.ZodType>(schema: S) => ({ kind: "json", status: 201, schema }) as const;
const jsonBody = <S extends z.ZodType>(schema: S) => ({ kind: "json", schema }) as const;

const boxOperations = {
  createBox: {
    method: "POST",
    path: "/v1/boxes",
    tag: "boxes",
    summary: "Create a box and wait until it runs",
    body: jsonBody(createBoxRequestSchema),
    response: created(boxSchema),
    errors: ["NAME_ALREADY_EXISTS", ...bringUp],
  },
  listBoxes: {
    method: "GET",
    path: "/v1/boxes",
    tag: "boxes",
    summary:
      "List boxes, newest first, at most 10,000 or a page of them; where there are more, the header boxrun-next-cursor says where they go on",
    query: boxListQuerySchema,
    response: json(z.array(boxSchema)),
    errors: [],
  },
  getBox: {
    method: "GET",
    path: "/v1/boxes/{id}",
    tag: "boxes",
    summary: "Get a box",
    query: boxQuerySchema,
    response: json(boxSchema),
    errors: boxMissing,
  },
  startBox: {
    method: "POST",
    path: "/v1/boxes/{id}:start",
    tag: "boxes",
    summary: "Start a stopped or dead box on the disk that it has",
    response: json(boxSchema),
    errors: [...boxMissing, "BOX_ALREADY_RUNNING", ...bringUp],
  },
  stopBox: {
    method: "POST",
    path: "/v1/boxes/{id}:stop",
    tag: "boxes",
    summary: "Stop a running box; its disk is kept",
    query: stopBoxQuerySchema,
    response: json(stoppedBoxSchema),
    errors: boxNeeded,
  },
  extendBox: {
    method: "POST",
    path: "/v1/boxes/{id}:extend",
    tag: "boxes",
    summary: "Set when a box expires, in seconds from now, or that it does not",
    body: jsonBody(extendRequestSchema),
    response: json(boxSchema),
    errors: boxMissing,
  },
  removeBox: {
    method: "DELETE",
    path: "/v1/boxes/{id}",
    tag: "boxes",
    summary: "Remove a box with its disk, its execs and their output",
    query: removeBoxQuerySchema,
    response: json(okSchema),
    errors: [...boxMissing, "BOX_ALREADY_RUNNING", "RUNTIME_ERROR"],
  },
} as const satisfies Record<string, Operation>;

const execOperations = {
  startExec: {
    method: "POST",
    path: "/v1/boxes/{id}/exec",
    tag: "execs",
    summary:
      "Start a command in a box, without waiting for its end, which the answer tells if the command is over at once; with `Accept: text/event-stream`, follow its output in the same answer",
    body: jsonBody(execRequestSchema),
    response: { ...created(execSchema), events: { exec: execSchema, log: logEventSchema, exit: exitEventSchema } },
    errors: boxCounts,
  },
  listExecs: {
    method: "GET",
    path: "/v1/boxes/{id}/execs",
    tag: "execs",
    summary:
      "List a box's execs, newest first, at most 10,000 or a page of them; where there are more, the header boxrun-next-cursor says where they go on",
    query: pageQuerySchema,
    response: json(z.array(execSchema)),
    errors: boxMissing,
  },
  getExec: {
    method: "GET",
    path: "/v1/boxes/{id}/exec/{exec_id}",
    tag: "execs",
    summary: "Get an exec",
    response: json(execSchema),
    errors: execMissing,
  },
  streamExecEvents: {
    method: "GET",
    path: "/v1/boxes/{id}/exec/{exec_id}/events",
    tag: "execs",
    summary:
      "Follow an exec's output: what there is already, then (unless `follow=false`) what comes, up to its end; `Last-Event-ID` or `after` resumes",
    query: eventsQuerySchema,
    headers: eventsHeadersSchema,
    response: { kind: "events", events: { log: logEventSchema, exit: exitEventSchema, end: endEventSchema } },
    errors: execMissing,
  },
  cancelExec: {
    method: "POST",
    path: "/v1/boxes/{id}/exec/{exec_id}:cancel",
    tag: "execs",
    summary: "Kill an exec's process group: SIGTERM, 5 s later SIGKILL; answers when it is gone",
    response: json(execSchema),
    errors: execNeeded,
  },
  writeExecStdin: {
    method: "POST",
    path: "/v1/boxes/{id}/exec/{exec_id}/stdin",
    tag: "execs",
    summary: "Append the body to an exec's standard input; with `offset`, what was taken before is skipped",
    query: stdinQuerySchema,
    body: { kind: "bytes", description: "Bytes for standard input." },
    response: json(okSchema),
    errors: [...execNeeded, "RESOURCE_EXCEEDED", "NOT_SUPPORTED"],
  },
  resizeExec: {
    method: "POST",
    path: "/v1/boxes/{id}/exec/{exec_id}:resize",
    tag: "execs",
    summary: "Resize an exec's terminal",
    body: jsonBody(terminalSizeSchema),
    response: json(okSchema),
    errors: execNeeded,
  },
  signalExec: {
    method: "POST",
    path: "/v1/boxes/{id}/exec/{exec_id}:signal",
    tag: "execs",
    summary: "Send a signal to an exec's process group",
    body: jsonBody(signalRequestSchema),
    response: json(okSchema),
    errors: execNeeded,
  },
} as const satisfies Record<string, Operation>;

const terminalOperations = {
  attach: {
    method: "GET",
    path: "/v1/boxes/{id}/attach",
    tag: "terminals",
    summary:
      "Attach a terminal to a shell in the box, over a WebSocket; with `session`, to one that goes on when the client leaves",
    query: attachQuerySchema,
    response: { kind: "websocket", client: terminalClientMessageSchema, server: terminalServerMessageSchema },
    errors: [...boxCounts, "NOT_SUPPORTED"],
  },
  listSessions: {
    method: "GET",
    path: "/v1/boxes/{id}/sessions",
    tag: "terminals",
    summary: "List a box's sessions, newest first",
    response: json(z.array(sessionSchema)),
    errors: boxMissing,
  },
  removeSession: {
    method: "DELETE",
    path: "/v1/boxes/{id}/sessions/{name}",
    tag: "terminals",
    summary: "End a session: its shell and everything that was started in it; answers when they are gone",
    response: json(okSchema),
    errors: [...sessionMissing, "RUNTIME_ERROR"],
  },
} as const satisfies Record<string, Operation>;

const portOperations = {
  listPorts: {
    method: "GET",
    path: "/v1/boxes/{id}/ports",
    tag: "ports",
    summary: "List the TCP ports on which something in the box listens",
    response: json(z.array(listeningPortSchema)),
    errors: [...boxNeeded, "NOT_SUPPORTED"],
  },
  connectPort: {
    method: "GET",
    path: "/v1/boxes/{id}/ports/{port}",
    tag: "ports",
    summary: "Connect to a TCP port of the box, on its own loopback, over a WebSocket; the box needs no network",
    response: { kind: "websocket", client: portClientMessageSchema, server: portServerMessageSchema },
    errors: [...boxCounts, "PORT_REFUSED", "NOT_SUPPORTED"],
  },
} as const satisfies Record<string, Operation>;

const fileOperations = {
  uploadFile: {
    method: "POST",
    path: "/v1/boxes/{id}/files/upload",
    tag: "files",
    summary:
      "Write a file into a box, making its parents; with `archive=tar`, unpack a tar into a directory. What is new belongs to the box's user, or as the tar says; `owner` says otherwise",
    query: uploadQuerySchema,
    body: { kind: "form", schema: uploadFormSchema, fileDescription: "The file's content, or a tar." },
    response: json(uploadResponseSchema),
    errors: boxCounts,
  },
  downloadFile: {
    method: "POST",
    path: "/v1/boxes/{id}/files/download",
    tag: "files",
    summary: "Read a file from a box; with `archive=tar`, a directory as a tar",
    query: downloadQuerySchema,
    body: jsonBody(downloadRequestSchema),
    response: {
      kind: "bytes",
      mediaTypes: ["application/octet-stream", "application/x-tar"],
      description: "The file's content, or a tar.",
    },
    errors: [...boxCounts, "FILE_NOT_FOUND"],
  },
  listFiles: {
    method: "GET",
    path: "/v1/boxes/{id}/files",
    tag: "files",
    summary: "List a directory of a box",
    query: pathQuerySchema,
    response: json(fileListSchema),
    errors: [...boxNeeded, "FILE_NOT_FOUND"],
  },
  statFile: {
    method: "GET",
    path: "/v1/boxes/{id}/files/stat",
    tag: "files",
    summary: "What is at a path of a box: its entry as in a list, of a symlink itself unless `follow`",
    query: statQuerySchema,
    response: json(fileEntrySchema),
    errors: [...boxNeeded, "FILE_NOT_FOUND", "NOT_SUPPORTED"],
  },
  makeDirectory: {
    method: "POST",
    path: "/v1/boxes/{id}/files/mkdir",
    tag: "files",
    summary: "Make a directory in a box, and with `parents` those on the way; it belongs to the box's user, or `owner`",
    body: jsonBody(makeDirectoryRequestSchema),
    response: json(okSchema),
    errors: [...boxNeeded, "FILE_NOT_FOUND", "FILE_EXISTS", "NOT_SUPPORTED"],
  },
  renameFile: {
    method: "POST",
    path: "/v1/boxes/{id}/files/rename",
    tag: "files",
    summary: "Give a file or a directory another path in its file system, at once or not at all",
    body: jsonBody(renameRequestSchema),
    response: json(okSchema),
    errors: [...boxNeeded, "FILE_NOT_FOUND", "FILE_EXISTS", "NOT_SUPPORTED"],
  },
  watchFiles: {
    method: "GET",
    path: "/v1/boxes/{id}/files/watch",
    tag: "files",
    summary: "Follow what happens to a file, in a directory, or with `recursive` in everything below it",
    query: watchQuerySchema,
    response: {
      kind: "events",
      events: {
        ready: watchMarkSchema,
        created: pathChangeSchema,
        changed: pathChangeSchema,
        removed: pathChangeSchema,
        renamed: pathRenamedSchema,
        overflow: changesMissingSchema,
        end: watchMarkSchema,
        error: errorBodySchema,
      },
    },
    errors: [...boxCounts, "FILE_NOT_FOUND", "NOT_SUPPORTED"],
  },
  removeFile: {
    method: "DELETE",
    path: "/v1/boxes/{id}/files",
    tag: "files",
    summary: "Remove a file or a whole directory from a box",
    query: pathQuerySchema,
    response: json(okSchema),
    errors: [...boxNeeded, "FILE_NOT_FOUND"],
  },
} as const satisfies Record<string, Operation>;

const imageOperations = {
  listImages: {
    method: "GET",
    path: "/v1/images",
    tag: "images",
    summary: "List the images that are here",
    response: json(z.array(imageSchema)),
    errors: ["RUNTIME_ERROR"],
  },
  pullImage: {
    method: "POST",
    path: "/v1/images:pull",
    tag: "images",
    summary: "Pull an image from its registry, telling the progress; also when it is here already",
    body: jsonBody(pullImageRequestSchema),
    response: {
      kind: "events",
      events: {
        progress: pullProgressSchema,
        done: imageSchema,
        error: errorBodySchema,
      },
    },
    errors: [],
  },
  importImage: {
    method: "POST",
    path: "/v1/images:import",
    tag: "images",
    summary: "Import the images of an OCI layout tar or a docker-archive",
    query: importImageQuerySchema,
    body: { kind: "bytes", description: "A tar." },
    response: json(z.array(imageSchema)),
    errors: ["VALIDATION_ERROR", "RUNTIME_ERROR"],
  },
  removeImage: {
    method: "DELETE",
    path: "/v1/images/{reference}",
    tag: "images",
    summary: "Remove an image that no box uses; `/` in the reference is written %2F",
    response: json(okSchema),
    errors: ["VALIDATION_ERROR", "IMAGE_NOT_FOUND", "IMAGE_IN_USE", "RUNTIME_ERROR"],
  },
} as const satisfies Record<string, Operation>;

const serverOperations = {
  run: {
    method: "POST",
    path: "/v1/run",
    tag: "server",
    summary: "Run one command in a box of its own, which is gone afterwards, also when the caller hangs up",
    body: jsonBody(runRequestSchema),
    response: json(runResponseSchema),
    errors: ["NAME_ALREADY_EXISTS", ...bringUp],
  },
  collectGarbage: {
    method: "POST",
    path: "/v1/gc",
    tag: "server",
    summary: "Remove boxes that were stopped for longer than so many seconds, and give up old output",
    body: jsonBody(gcRequestSchema),
    response: json(gcResponseSchema),
    errors: [],
  },
  listOrphans: {
    method: "GET",
    path: "/v1/orphans",
    tag: "server",
    summary: "List boxes that an engine has and the database does not",
    response: json(z.array(orphanSchema)),
    errors: ["RUNTIME_ERROR"],
  },
  adoptOrphan: {
    method: "POST",
    path: "/v1/orphans/{id}:adopt",
    tag: "server",
    summary: "Take a box in again that the database does not know; without its name if another one has that",
    response: json(boxSchema),
    errors: [...boxMissing, "RUNTIME_ERROR"],
  },
  removeOrphan: {
    method: "DELETE",
    path: "/v1/orphans/{id}",
    tag: "server",
    summary: "End a box that the database does not know, and destroy its disk",
    response: json(okSchema),
    errors: [...boxMissing, "RUNTIME_ERROR"],
  },
  getInfo: {
    method: "GET",
    path: "/v1/info",
    tag: "server",
    summary: "The server's version, engine, limits and what is used of them",
    response: json(infoSchema),
    errors: [],
  },
  getUsage: {
    method: "GET",
    path: "/v1/usage",
    tag: "server",
    summary: "What takes how much of the host's disk",
    response: json(usageSchema),
    errors: [],
  },
  streamEvents: {
    method: "GET",
    path: "/v1/events",
    tag: "server",
    summary: "Follow every change of state of boxes and execs",
    response: { kind: "events", events: { box: boxSchema, box_removed: boxRemovedSchema, exec: execSchema } },
    errors: [],
  },
  getHealth: {
    method: "GET",
    path: "/healthz",
    tag: "server",
    summary: "Whether the server answers; needs no token",
    response: json(healthSchema),
    errors: [],
  },
  getMetrics: {
    method: "GET",
    path: "/metrics",
    tag: "server",
    summary: "Metrics for Prometheus",
    response: { kind: "bytes", mediaTypes: ["text/plain"], description: "Prometheus text format." },
    errors: [],
  },
  getOpenApi: {
    method: "GET",
    path: "/openapi.json",
    tag: "server",
    summary: "This document",
    response: json(z.record(z.string(), z.unknown())),
    errors: [],
  },
} as const satisfies Record<string, Operation>;

const historyOperations = {
  listHistory: {
    method: "GET",
    path: "/v1/history",
    tag: "history",
    summary: "What was done to boxes, and by whom, newest first, also to those that are gone",
    query: historyQuerySchema,
    response: json(z.array(historyEntrySchema)),
    errors: [],
  },
} as const satisfies Record<string, Operation>;

const statsOperations = {
  getStats: {
    method: "GET",
    path: "/v1/boxes/{id}/stats",
    tag: "stats",
    summary: "What a running box uses; with `follow=true` as events, one every two seconds, until it runs no more",
    query: statsQuerySchema,
    response: { ...json(boxStatsSchema), events: { stats: boxStatsSchema } },
    errors: [...boxMissing, "BOX_NOT_RUNNING", "NOT_SUPPORTED", "RUNTIME_ERROR"],
  },
  getStatsHistory: {
    method: "GET",
    path: "/v1/boxes/{id}/stats/history",
    tag: "stats",
    summary: "What a running box has used in the last hour, in steps of 10 seconds",
    response: json(statsHistorySchema),
    errors: boxMissing,
  },
  listStats: {
    method: "GET",
    path: "/v1/stats",
    tag: "stats",
    summary: "What all running boxes used at the last step, and with `points` before it",
    query: statsOverviewQuerySchema,
    response: json(z.array(statsOverviewSchema)),
    errors: [],
  },
} as const satisfies Record<string, Operation>;

const signInOperations = {
  getSignIn: {
    method: "GET",
    path: "/v1/sign-in",
    tag: "sign-in",
    summary: "As whom the server knows the caller; UNAUTHORIZED if it does not",
    response: json(signedInSchema),
    errors: [],
  },
  signIn: {
    method: "POST",
    path: "/v1/sign-in",
    tag: "sign-in",
    summary: "Sign a browser in: the answer sets its cookie",
    body: jsonBody(signInRequestSchema),
    response: created(signedInSchema),
    errors: [],
  },
  signOut: {
    method: "DELETE",
    path: "/v1/sign-in",
    tag: "sign-in",
    summary: "Sign this browser out",
    response: json(okSchema),
    errors: [],
  },
  createSignInLink: {
    method: "POST",
    path: "/v1/sign-in/links",
    tag: "sign-in",
    summary: "Make a link that signs a browser in, once",
    response: created(signInLinkSchema),
    errors: [],
  },
} as const satisfies Record<string, Operation>;

const mcpEvents = { message: mcpMessageSchema };
const mcpRefusals = (statuses: Readonly<Record<number, string>>) => ({ schema: mcpErrorSchema, statuses }) as const;
const noMcpSession = {
  400: "No session was named, or it is no message of the protocol",
  404: "There is no such session",
};

const mcpOperations = {
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

export const operations = {
  ...boxOperations,
  ...execOperations,
  ...terminalOperations,
  ...portOperations,
  ...fileOperations,
  ...imageOperations,
  ...serverOperations,
  ...historyOperations,
  ...statsOperations,
  ...signInOperations,
  ...mcpOperations,
};

export type OperationId = keyof typeof operations;
export const operationIds = Object.keys(operations) as OperationId[];

/** The names in a path template: `"id" | "exec_id"`. */
export type PathParameter<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParameter<Rest>
  : never;
