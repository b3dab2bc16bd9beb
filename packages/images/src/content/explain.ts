import { BoxRunError } from "@boxrun/contract";
import { OtherPlatformError } from "./image-config.ts";

/** What is wrong with an image that was looked at, or kept it from being stored, becomes an error with `code`. */
export async function orExplain<T>(
  work: () => Promise<T>,
  options: {
    readonly signal: AbortSignal;
    readonly code: "IMAGE_PULL_FAILED" | "VALIDATION_ERROR" | "RUNTIME_ERROR";
    readonly operation: string;
  },
): Promise<T> {
  const { signal, code, operation } = options;
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof BoxRunError) throw error;
    // Errors of the operating system (a full disk) have a code of their own; the server tells them apart from the image's faults.
    if (error instanceof Error && "errno" in error) {
      throw new BoxRunError("RUNTIME_ERROR", `${operation}: ${error.message}`, { cause: error });
    }
    throw new BoxRunError(code, `${operation}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

export function isOtherPlatform(error: unknown): boolean {
  return error instanceof OtherPlatformError || (error instanceof Error && error.cause instanceof OtherPlatformError);
}
