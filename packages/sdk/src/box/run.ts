import type { RunResponse } from "@boxrun/contract";
import type { RepeatableOptions } from "../repeat.ts";
import type { CreateBoxOptions } from "./create-options.ts";

export type RunOptions = CreateBoxOptions &
  RepeatableOptions & {
    /** What the command gets before it is ended, in ms. */
    readonly timeoutMs?: number | undefined;
    /** A command that does not succeed is a CommandFailed. Default: it is a result. */
    readonly check?: boolean | undefined;
  };

export interface RunResult {
  /** It ended with exit code 0. */
  readonly ok: boolean;
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Why it did not come to its own end. */
  readonly errorMessage: string | null;
  /** Output is missing, because it passed the server's limit; where, the text says. */
  readonly truncated: boolean;
}

export function runResult({ exit_code, stdout, stderr, error_message, truncated }: RunResponse): RunResult {
  const ok = exit_code === 0 && error_message === null;
  return { ok, exitCode: exit_code, stdout, stderr, errorMessage: error_message, truncated: truncated === true };
}
