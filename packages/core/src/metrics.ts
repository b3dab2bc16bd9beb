import type { ExecStatus } from "@boxrun/contract";

/** What the core tells whoever counts. */
export interface CoreMetrics {
  /** From the request to `running`, or to the failure. */
  createSeconds(seconds: number, ok: boolean): void;
  execSeconds(seconds: number, status: ExecStatus): void;
  outputBytes(bytes: number): void;
  engineError(operation: string): void;
}

const ignore = () => undefined;
export const noMetrics: CoreMetrics = {
  createSeconds: ignore,
  execSeconds: ignore,
  outputBytes: ignore,
  engineError: ignore,
};
