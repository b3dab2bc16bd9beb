/**
 * The error table: every code that BoxRun answers with, its HTTP status, and what a person can do about it.
 * Server, SDKs, CLI and docs read this one table.
 */

interface ErrorRule {
  /** HTTP status, unless the place that raises the error has a better one (see API docs for VALIDATION_ERROR). */
  readonly status: number;
  /** One line for a person: what to do next. */
  readonly hint: string;
}

export const errorTable = {
  VALIDATION_ERROR: { status: 422, hint: "Correct the named field and send the request again." },
  BOX_NOT_FOUND: { status: 404, hint: "List the boxes with `boxrun ls`." },
  EXEC_NOT_FOUND: { status: 404, hint: "List the box's execs; those of a removed box are gone." },
  SESSION_NOT_FOUND: { status: 404, hint: "List the box's sessions; one whose shell has exited is gone." },
  IMAGE_NOT_FOUND: { status: 404, hint: "List the images with `boxrun images`, or pull it with `boxrun images pull`." },
  SNAPSHOT_NOT_FOUND: { status: 404, hint: "List the box's snapshots." },
  FILE_NOT_FOUND: { status: 404, hint: "Check the path; it is resolved inside the box." },
  PORT_REFUSED: {
    status: 400,
    hint: "`boxrun ports BOX` lists what listens in the box; a service must listen on its 127.0.0.1, 0.0.0.0, ::1 or ::.",
  },
  PORT_IN_USE: { status: 409, hint: "Choose another port of the host, or end what listens there." },
  FILE_EXISTS: { status: 409, hint: "Choose another path, or say that what is there may be replaced." },
  NOT_FOUND: { status: 404, hint: "See /openapi.json for the routes that exist." },
  BOX_NOT_RUNNING: { status: 400, hint: "Start it with `boxrun start BOX`." },
  BOX_UNREACHABLE: {
    status: 503,
    hint: "It is tried again by itself; `boxrun inspect BOX` says why. `boxrun stop BOX` ends it in any case.",
  },
  SERVER_RECOVERING: {
    status: 503,
    hint: "The server has just started and takes its boxes over; `boxrun info` answers meanwhile. Try again in a moment.",
  },
  BOX_ALREADY_RUNNING: {
    status: 409,
    hint: "`boxrun stop BOX` stops it; `boxrun rm --force BOX` removes it as it is.",
  },
  NAME_ALREADY_EXISTS: { status: 409, hint: "Choose another name, or remove what has it." },
  IDEMPOTENCY_KEY_REUSED: {
    status: 409,
    hint: "Send each request with a key of its own; the same key only where the same request is sent again.",
  },
  RESOURCE_EXCEEDED: {
    status: 409,
    hint: "Stop a box or end programs in it, ask for less, or raise the server's limit: BOXRUN_MAX_CPU, BOXRUN_MAX_MEMORY_MB, BOXRUN_DISK_OVERCOMMIT.",
  },
  EXEC_ALREADY_FINISHED: { status: 400, hint: "Nothing is left to act on; read the exec's events for its output." },
  IMAGE_PULL_FAILED: { status: 400, hint: "Check the reference, the network and the registry's credentials." },
  IMAGE_IN_USE: { status: 409, hint: "Remove the boxes that use the image first." },
  TIMEOUT: { status: 400, hint: "Try again, or allow more time." },
  CANCELED: { status: 400, hint: "The operation was given up before it was done." },
  RUNTIME_ERROR: { status: 400, hint: "`boxrun doctor` checks the host; the server's log has the details." },
  NOT_SUPPORTED: { status: 400, hint: "GET /v1/info lists what this server's engine can do." },
  UNAUTHORIZED: { status: 401, hint: "Set BOXRUN_TOKEN to the server's token; a browser is signed in by `boxrun ui`." },
  FORBIDDEN: { status: 403, hint: "Call the server under its own host name and from its own pages." },
  PAYLOAD_TOO_LARGE: { status: 413, hint: "Send a smaller body; files go through files/upload, which has no limit." },
  INTERNAL_ERROR: { status: 500, hint: "This is a bug in BoxRun; the server's log has the details." },
} as const satisfies Record<string, ErrorRule>;

export type ErrorCode = keyof typeof errorTable;

export const errorCodes = Object.keys(errorTable) as ErrorCode[];

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

export interface BoxRunErrorOptions {
  /** Overrides the table's HTTP status. */
  readonly status?: number;
  /** Anything that helps a program, sent along as `details`. */
  readonly details?: Record<string, unknown>;
  readonly cause?: unknown;
}

/** The one error class of BoxRun; narrow it by `code`. */
export class BoxRunError extends Error {
  override readonly name = "BoxRunError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: BoxRunErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? errorTable[code].status;
    this.details = options.details;
  }

  get hint(): string {
    return errorTable[this.code].hint;
  }

  toJSON(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }
}

/** What an error looks like on the wire. */
export interface ErrorBody {
  code: string;
  message: string;
  details?: Record<string, unknown> | undefined;
}

/** Any thrown value as a BoxRunError: our own as they are, everything else as `fallback`. */
export function toBoxRunError(error: unknown, fallback: ErrorCode = "INTERNAL_ERROR"): BoxRunError {
  if (error instanceof BoxRunError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new BoxRunError(fallback, message, { cause: error });
}
