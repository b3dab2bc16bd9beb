import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ServeFlags } from "../../src/index.ts";

export interface ServerProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** What it printed when it was up, or refused to come up. */
  readonly said: Record<string, unknown>;
  /** Resolves with the exit code, `null` after a signal. */
  readonly exited: Promise<number | null>;
  readonly log: () => string;
}

/** Starts `serve()` in a process of its own and waits for its first line. */
export async function startServerProcess(flags: ServeFlags, env: NodeJS.ProcessEnv = {}): Promise<ServerProcess> {
  const script = fileURLToPath(new URL("serve.ts", import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(flags)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    log += text;
  });
  const exited = once(child, "exit").then(([code]): number | null => code);
  const [line] = await Promise.race([
    once(createInterface(child.stdout), "line"),
    exited.then((code) => {
      throw new Error(`the server exited with ${code} and without a word:\n${log}`);
    }),
  ]);
  return {
    child,
    said: JSON.parse(line),
    exited,
    log: () => log,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
