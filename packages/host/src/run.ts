import { spawn } from "node:child_process";
import { BoxRunError } from "@boxrun/contract";
import { keepTail } from "./tail.ts";

export interface RunOptions {
  readonly operation: string;
  readonly signal?: AbortSignal;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Longest output that is kept, in bytes; what a tool prints beyond that is dropped from the front. */
const outputLimitBytes = 1024 * 1024;

/**
 * Runs a host program to its end and gives its standard output. RUNTIME_ERROR with the program's own last words if it fails;
 * an abort ends it and rejects with the signal's reason.
 */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<string> {
  options.signal?.throwIfAborted();
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...process.env, ...options.env } }),
  });
  const output = keepTail(child.stdout, outputLimitBytes);
  const errors = keepTail(child.stderr, 4096);
  const kill = () => child.kill("SIGKILL");
  options.signal?.addEventListener("abort", kill, { once: true });
  try {
    const end = await new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
    options.signal?.throwIfAborted();
    if (end.code !== 0) {
      const how = end.code === null ? `was killed by ${end.signal}` : `ended with ${end.code}`;
      throw new BoxRunError(
        "RUNTIME_ERROR",
        `${options.operation}: ${program} ${how}: ${errors.text() || "it said nothing"}`,
      );
    }
    return output.text();
  } catch (error) {
    if (error instanceof BoxRunError || options.signal?.aborted) throw error;
    throw new BoxRunError("RUNTIME_ERROR", `${options.operation}: ${program}: ${String(error)}`, { cause: error });
  } finally {
    options.signal?.removeEventListener("abort", kill);
  }
}
