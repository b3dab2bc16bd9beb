import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { keepTail } from "@boxrun/host";

interface HelperOptions {
  /** What its end before it has answered is to its caller. */
  readonly fail: (how: string, cause?: unknown) => Error;
  /** Kills it. */
  readonly signal?: AbortSignal | undefined;
}

/** A run of the host helper that does one thing, and is talked with in lines. */
export class HelperProcess implements Disposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #failed: Promise<never>;

  constructor(program: string, args: readonly string[], { fail, signal }: HelperOptions) {
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env: {}, ...(signal && { signal }) });
    this.#lines = createInterface({ input: this.#child.stdout });
    const errors = keepTail(this.#child.stderr, 4096);
    this.#child.stdin.on("error", () => undefined);
    this.#failed = new Promise<never>((_, reject) => {
      this.#child.once("error", (error) => reject(fail(errors.text() || error.message, error)));
      this.#child.once("close", (code, killed) =>
        reject(fail(errors.text() || `its helper ended with ${code ?? killed}`)),
      );
    });
    this.#failed.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What it says next. */
  async line(signal?: AbortSignal): Promise<string> {
    const [line] = await Promise.race([once(this.#lines, "line", { signal }), this.#failed]);
    return String(line);
  }

  say(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** It ends when it hears no more. */
  hangUp(): void {
    this.#lines.close();
    this.#child.stdin.end();
  }

  [Symbol.dispose](): void {
    this.#lines.close();
    this.#child.kill("SIGKILL");
  }
}
