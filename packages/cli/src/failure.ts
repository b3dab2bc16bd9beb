import { BoxRunError } from "@boxrun/contract/plain";
import { ClientError } from "boxrun-sdk";
import { connectionAdvice } from "./connection-advice.ts";
import { indented, jsonText, oneLine } from "./output/text.ts";

/** Something that the command could not do, with its cause. `what` names the operation and the thing: `stop dev`. */
export class CommandFailure extends Error {
  readonly what: string;

  constructor(what: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.what = what;
  }
}

type CliErrorCode =
  | "USAGE"
  | "SERVER_START_FAILED"
  | "SERVER_STOP_FAILED"
  | "NOT_THIS_HOST"
  | "NO_ADDRESS"
  | "HOST_FILE"
  | "INCOMPLETE"
  | "CONFIG_FILE"
  | "OUTPUT_INCOMPLETE"
  | "PORT_UNAVAILABLE"
  | "INSTALL_FAILED";

/** A failure of the command itself, on this host; `hint` says what to do about it. */
export class CliError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: CliErrorCode, message: string, hint?: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** A failure that was told already: only the exit code is left. */
export class ReportedFailure extends Error {}

/** For people: `Error: what: why`, and a line that says what to do. */
export function failureText(error: unknown): string {
  const { what, cause } = unwrap(error);
  const hint = hintOf(cause);
  const message = indented(messageOf(cause));
  // The server may have begun with the same words.
  const operation = what === undefined || message.startsWith(`${oneLine(what)}: `) ? "" : `${oneLine(what)}: `;
  return `Error: ${operation}${message}\n${hint === undefined ? "" : `Hint: ${indented(hint)}\n`}`;
}

/** For programs: one line of JSON. */
export function failureJson(error: unknown): string {
  const { what, cause } = unwrap(error);
  const body =
    cause instanceof BoxRunError || cause instanceof ClientError
      ? cause.toJSON()
      : { code: cause instanceof CliError ? cause.code : "INTERNAL_ERROR", message: messageOf(cause) };
  const hint = hintOf(cause);
  return `${jsonText({ ...body, ...(what === undefined ? {} : { operation: what }), ...(hint === undefined ? {} : { hint }) })}\n`;
}

function unwrap(error: unknown): { readonly what: string | undefined; readonly cause: unknown } {
  return error instanceof CommandFailure ? { what: error.what, cause: error.cause } : { what: undefined, cause: error };
}

function hintOf(cause: unknown): string | undefined {
  if (cause instanceof CliError) return cause.hint;
  // The contract's own hint is for who writes requests.
  if (cause instanceof BoxRunError && cause.code === "VALIDATION_ERROR") {
    return "Correct it and run the command again; --help says what it takes.";
  }
  return cause instanceof BoxRunError || cause instanceof ClientError
    ? (connectionAdvice(cause) ?? cause.hint)
    : undefined;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
