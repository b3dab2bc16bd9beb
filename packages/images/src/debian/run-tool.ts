import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { BoxRunError } from "@boxrun/contract";

export interface ToolRun {
  readonly operation: string;
  readonly signal: AbortSignal;
  /** Every line that it prints, of both outputs. */
  readonly onLine?: (line: string) => void;
  readonly env?: Readonly<Record<string, string>>;
}

/** Lines kept for the error message. */
const keptLines = 5;

/** Runs a host program to its end. RUNTIME_ERROR with its last lines if it fails; rejects with the signal's reason on an abort. */
export async function runTool(program: string, args: readonly string[], options: ToolRun): Promise<void> {
  const { operation, signal } = options;
  signal.throwIfAborted();
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...options.env } });
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  const last: string[] = [];
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on("line", (line) => {
      last.push(line.slice(0, 300));
      if (last.length > keptLines) last.shift();
      options.onLine?.(line);
    });
  }
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    signal.throwIfAborted();
    if (code !== 0) throw new BoxRunError("RUNTIME_ERROR", `${operation}: ${program} failed: ${last.join(" · ")}`);
  } finally {
    signal.removeEventListener("abort", kill);
  }
}
