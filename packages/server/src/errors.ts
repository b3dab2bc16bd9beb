import { BoxRunError } from "@boxrun/contract";

/**
 * What a caller is told of whatever was thrown. Our own errors go out as they are; those of the HTTP library keep their status; of
 * anything else only the request's id goes out, and the log has the rest.
 */
export function toApiError(error: unknown, requestId: string): BoxRunError {
  if (error instanceof BoxRunError && error.code !== "INTERNAL_ERROR") return error;
  if (isErrnoException(error) && error.code === "ENOSPC") {
    return new BoxRunError("RUNTIME_ERROR", "No space is left on the server's disk", { cause: error });
  }
  const status = clientStatus(error);
  if (status !== undefined && error instanceof Error) return clientError(error, status);
  return new BoxRunError(
    "INTERNAL_ERROR",
    `Something went wrong inside the server; its log says more about request ${requestId}`,
    { cause: error },
  );
}

/** Fastify and its plugins say with `statusCode` what is the caller's fault. */
function clientStatus(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  const { statusCode } = error;
  return typeof statusCode === "number" && statusCode >= 400 && statusCode < 500 ? statusCode : undefined;
}

function clientError(error: Error, status: number): BoxRunError {
  const cause = { cause: error };
  const code = "code" in error ? error.code : undefined;
  if (code === "FST_ERR_MAX_PARAM_LENGTH" || status === 404) {
    return new BoxRunError("NOT_FOUND", "There is nothing at this address", cause);
  }
  if (code === "FST_ERR_BAD_URL") {
    return new BoxRunError("VALIDATION_ERROR", "url: is not encoded correctly", { ...cause, status: 400 });
  }
  if (status === 413 && !String(code).startsWith("FST_P"))
    return new BoxRunError("PAYLOAD_TOO_LARGE", error.message, cause);
  return new BoxRunError("VALIDATION_ERROR", error.message, { ...cause, status: status === 413 ? 400 : status });
}

function isErrnoException(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && "errno" in error;
}
