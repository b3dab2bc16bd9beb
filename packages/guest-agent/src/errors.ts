import { BoxRunError, type ErrorCode } from "@boxrun/contract";
import type { AgentErrorCode } from "./messages.ts";

/** The agent said no: it was asked, and nothing is wrong with the connection. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  /** An older agent has no such request; it always says it like this. */
  get isUnknownRequest(): boolean {
    return this.code === "BAD_REQUEST" && this.message.startsWith("no such request: ");
  }
}

/** The connection ended, or stayed silent for too long, before the answer was complete. The VM may live on, and what was asked may have been done. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/** Where a VM was, another one answers: the one that was asked for has ended. */
export class AnotherVm extends Error {
  override readonly name = "AnotherVm";
}

/** The agent greets in a version of the protocol that this server does not speak: asking again changes nothing. */
export class OtherProtocol extends Error {
  override readonly name = "OtherProtocol";
}

/** What an answer of the agent means to the engine's caller, or that there was none (BOX_UNREACHABLE); codes that are not named become RUNTIME_ERROR. */
export function fromAgent(
  operation: string,
  error: unknown,
  codes: Partial<Record<AgentErrorCode, ErrorCode>> = {},
): Error {
  if (error instanceof BoxRunError) return error;
  if (error instanceof AgentError) {
    if (error.isUnknownRequest) {
      return new BoxRunError(
        "NOT_SUPPORTED",
        `${operation}: the box was started by an older BoxRun whose agent can't do that: stop it and start it again`,
        {
          cause: error,
        },
      );
    }
    return new BoxRunError(codes[error.code] ?? "RUNTIME_ERROR", `${operation}: ${error.message}`, { cause: error });
  }
  if (error instanceof ConnectionLost) {
    return new BoxRunError("BOX_UNREACHABLE", `${operation}: ${error.message}`, { cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  const given = error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError");
  return new BoxRunError(given ? "CANCELED" : "RUNTIME_ERROR", `${operation}: ${reason}`, { cause: error });
}
