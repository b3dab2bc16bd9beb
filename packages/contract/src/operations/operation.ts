import type { z } from "zod";
import type { ErrorCode } from "../errors.ts";

/**
 * An operation of the API.
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
