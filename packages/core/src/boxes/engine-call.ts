import { toBoxRunError } from "@boxrun/contract";
import type { CoreMetrics } from "../metrics.ts";

/** What the engine does to a box: a failure is counted, and comes out as a BoxRunError. */
export async function engineCall(metrics: CoreMetrics, operation: string, call: () => Promise<void>): Promise<void> {
  try {
    await call();
  } catch (error) {
    metrics.engineError(operation);
    throw toBoxRunError(error, "RUNTIME_ERROR");
  }
}
