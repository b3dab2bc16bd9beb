import { createInterface } from "node:readline/promises";
import { CliError } from "./failure.ts";

/** Asks on the terminal; resolves with whether the answer is yes. USAGE where there is no terminal: then `--yes` must say it. */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new CliError(
      "USAGE",
      "There is no terminal to ask on",
      "--yes goes on without asking, --dry-run only tells what would be done.",
    );
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // readline takes Ctrl-C and Ctrl-D for itself.
  const gone = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    const answer = await Promise.race([lines.question(`${question} [y/N] `, { signal }), gone]);
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    lines.close();
  }
}
