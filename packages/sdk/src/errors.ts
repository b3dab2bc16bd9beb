import type { ErrorBody } from "@boxrun/contract";
import { BoxRunError, isErrorCode } from "@boxrun/contract/plain";

/**
 * Failures that no server has answered: the client's own table beside the contract's. What the server refuses is a BoxRunError with
 * a code of the contract.
 */
const clientErrorTable = {
  CONNECTION_FAILED: {
    hint: "Check that the server runs at this address: `boxrun serve` starts one, `boxrun doctor` looks for what is wrong.",
  },
  SERVER_START_FAILED: {
    hint: "`boxrun doctor` looks for what is wrong; the command itself comes with `npm install --global boxrun`.",
  },
  INVALID_ANSWER: {
    hint: "Something else may listen at this address, or client and server differ too much in version: compare `boxrun --version` with /v1/info.",
  },
} as const;

export type ClientErrorCode = keyof typeof clientErrorTable;

export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly code: ClientErrorCode;
  /** Of an answer that was not understood. */
  readonly status: number | undefined;

  constructor(
    code: ClientErrorCode,
    message: string,
    { status, ...options }: { readonly cause?: unknown; readonly status?: number } = {},
  ) {
    super(message, options);
    this.code = code;
    this.status = status;
  }

  get hint(): string {
    return clientErrorTable[this.code].hint;
  }

  toJSON(): { code: ClientErrorCode; message: string } {
    return { code: this.code, message: this.message };
  }
}

/** What is told of a command that has ended, as far as a failure needs it. */
interface EndedCommand {
  readonly exitCode: number | null;
  readonly errorMessage: string | null;
  readonly stderr: string;
}

/** A command that was run with `check` did not succeed. */
export class CommandFailed<Result extends EndedCommand = EndedCommand> extends Error {
  override readonly name = "CommandFailed";
  readonly code = "COMMAND_FAILED";
  readonly result: Result;

  constructor(cmd: readonly string[], result: Result) {
    const why = result.errorMessage ?? `it exited with ${result.exitCode}`;
    const said = result.stderr.trim().split("\n").at(-1);
    super(`${cmd.join(" ")}: ${why}${said ? `: ${said}` : ""}`);
    this.result = result;
  }
}

/** What `fetch` or a stream threw, in words: both hide the reason in `cause`, and undici several of them in an AggregateError. */
export function reasonOf(error: unknown): string {
  let current = error;
  while (current instanceof Error) {
    const next: unknown = current instanceof AggregateError ? current.errors[0] : current.cause;
    if (!(next instanceof Error)) break;
    current = next;
  }
  return current instanceof Error ? withoutOpenSslReport(current.message).trim() : String(current);
}

/** `write EPROTO 40…:error:0A00010B:SSL routines:…:wrong version number:….c:77:` has one part that is for people. */
function withoutOpenSslReport(message: string): string {
  return message.replace(/ ?\S*:error:[0-9A-F]+:SSL routines:[^:]*:([^:]*):.*/s, ": $1");
}

/** The system's code of a connection failure (`ECONNREFUSED`, `ENOENT`, …), if there is one. */
export function systemCodeOf(error: unknown): string | undefined {
  for (let current = error; current instanceof Error; ) {
    if ("code" in current && typeof current.code === "string" && /^E[A-Z]+$/.test(current.code)) return current.code;
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return undefined;
}

/** The error that an answer with a status of 400 or more stands for. */
export function serverError(
  status: number,
  body: ErrorBody | undefined,
  what: string,
  text: string,
): BoxRunError | ClientError {
  if (body !== undefined) return knownError(body, status);
  const start = text.trim().slice(0, 200);
  const message = `${what} was answered with status ${status}${start && `: ${start}`}`;
  return new ClientError("INVALID_ANSWER", message, { status });
}

/** An error of the server's. A code that only a newer server knows goes to `details.code`. */
export function knownError({ code, message, details }: ErrorBody, status?: number): BoxRunError {
  const known = status === undefined ? {} : { status };
  if (isErrorCode(code))
    return new BoxRunError(code, message, { ...known, ...(details === undefined ? {} : { details }) });
  return new BoxRunError((status ?? 0) >= 500 ? "INTERNAL_ERROR" : "RUNTIME_ERROR", message, {
    ...known,
    details: { ...details, code },
  });
}

/** `undefined` for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
