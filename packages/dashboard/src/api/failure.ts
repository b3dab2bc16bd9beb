import { BoxRunError, ClientError } from "boxrun-sdk";

/** An error as people read it: what happened, and what to do about it. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof BoxRunError || error instanceof ClientError) {
    return { code: error.code, message: error.message, hint: error.hint };
  }
  return { code: "ERROR", message: error instanceof Error ? error.message : String(error), hint: undefined };
}

export function isSignedOut(error: unknown): boolean {
  return error instanceof BoxRunError && error.code === "UNAUTHORIZED";
}

export function isLostConnection(error: unknown): boolean {
  if (error instanceof ClientError) return error.code === "CONNECTION_FAILED";
  return error instanceof BoxRunError && [502, 503, 504].includes(error.status);
}
