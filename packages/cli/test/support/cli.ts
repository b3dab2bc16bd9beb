import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

export const cliPath = fileURLToPath(new URL("../../bin/boxrun.js", import.meta.url));

export interface CliOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly input?: string | Uint8Array;
  /** Options of Node itself. */
  readonly nodeOptions?: readonly string[];
}

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
}

/** A `boxrun` that runs. */
export class CliProcess {
  readonly child: ChildProcess;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  readonly #closed: Promise<unknown>;

  constructor(args: readonly string[], options: CliOptions = {}) {
    this.child = spawn(process.execPath, [...(options.nodeOptions ?? []), "--", cliPath, ...args], {
      cwd: options.cwd,
      env: { ...process.env, NO_COLOR: "1", BOXRUN_HOST: undefined, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", (chunk: Buffer) => this.#stdout.push(chunk));
    this.child.stderr?.on("data", (chunk: Buffer) => this.#stderr.push(chunk));
    this.#closed = once(this.child, "close");
    // It may end before it has read all of its input.
    this.child.stdin?.on("error", () => undefined);
    if (options.input !== undefined) this.child.stdin?.end(options.input);
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString();
  }

  /** Resolves when so much has been printed. */
  async printed(text: string): Promise<void> {
    while (!this.stdout.includes(text)) {
      if (this.child.stdout?.readableEnded) throw new Error(`${text} was not printed, but ${this.stdout}`);
      await Promise.race([once(this.child.stdout ?? this.child, "data"), this.#closed]);
    }
  }

  async result(): Promise<CliResult> {
    await this.#closed;
    return {
      code: this.child.exitCode,
      stdout: this.stdout,
      stdoutBytes: Buffer.concat(this.#stdout),
      stderr: Buffer.concat(this.#stderr).toString(),
    };
  }
}

/** `boxrun` as a shell finds it, through its first line; `words` are bash's own: `exec dev $'caf\\xe9'`. */
export async function typed(words: string, options: CliOptions = {}): Promise<CliResult> {
  const path = `${dirname(process.execPath)}:${process.env.PATH}`;
  const env = { ...process.env, NO_COLOR: "1", BOXRUN_HOST: undefined, PATH: path, BOXRUN: cliPath, ...options.env };
  const child = spawn("bash", ["-c", `"$BOXRUN" ${words}`], { env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdoutBytes, stderr] = await Promise.all([buffer(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: child.exitCode, stdout: stdoutBytes.toString(), stdoutBytes, stderr };
}

export function boxrun(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return new CliProcess(args, { input: "", ...options }).result();
}
