import { BoxRunError } from "@boxrun/contract";
import type { StoredImage } from "@boxrun/core";
import type { LayoutStore } from "./layout-store.ts";

/** Adds a layout that skopeo has made; what is wrong with the image becomes an error with `code`. */
export async function addOrExplain(
  store: LayoutStore,
  layoutDir: string,
  signal: AbortSignal,
  code: "IMAGE_PULL_FAILED" | "VALIDATION_ERROR",
  operation: string,
): Promise<StoredImage> {
  try {
    return await store.add(layoutDir, signal);
  } catch (error) {
    signal.throwIfAborted();
    // Errors of the operating system (a full disk) have a code of their own; the server tells them apart from the image's faults.
    if (error instanceof Error && "errno" in error) {
      throw new BoxRunError("RUNTIME_ERROR", `${operation}: ${error.message}`, { cause: error });
    }
    throw new BoxRunError(code, `${operation}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
