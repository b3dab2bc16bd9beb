import { type FileHandle, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { CliError } from "../failure.ts";

/** Where a server that was started in the background logs to; the generation before it has `.1` behind its name. */
export function serverLogPath(stateDir: string): string {
  return join(stateDir, "server.log");
}

const chunkBytes = 64 * 1024;

/** Reads a log from near its end, and what is appended to it, also when a new file takes its place. */
export class LogReader implements AsyncDisposable {
  readonly #path: string;
  #file: FileHandle | undefined;
  #inode = 0;
  #offset = 0;
  #rest = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
  }

  /** The last `count` lines. HOST_FILE if there is no log. */
  async tail(count: number): Promise<string[]> {
    await this.#open();
    if (this.#file === undefined) {
      throw new CliError(
        "HOST_FILE",
        `There is no log at ${this.#path}`,
        "A server that was started in the background writes it; one that `boxrun serve` runs logs to its own terminal.",
      );
    }
    const { size } = await this.#file.stat();
    this.#offset = Math.max(0, await startOfLines(this.#file, size, count));
    return await this.more();
  }

  /** The lines that have come since; a line without its end is left for later. */
  async more(): Promise<string[]> {
    const lines = await this.#drain();
    if (await this.#wasReplaced()) {
      // What came between the last look and the replacement.
      lines.push(...(await this.#drain()));
      await this.#open();
      lines.push(...(await this.#drain()));
    }
    return lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
  }

  async #open(): Promise<void> {
    await this.#file?.close();
    this.#file = await open(this.#path, "r").catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    });
    this.#inode = (await this.#file?.stat())?.ino ?? 0;
    this.#offset = 0;
    this.#rest = Buffer.alloc(0);
  }

  async #wasReplaced(): Promise<boolean> {
    const there = await stat(this.#path).catch(() => undefined);
    return there !== undefined && there.ino !== this.#inode;
  }

  async #drain(): Promise<string[]> {
    const lines: string[] = [];
    if (this.#file === undefined) return lines;
    // Shorter than what was read of it: it was emptied.
    if ((await this.#file.stat()).size < this.#offset) this.#offset = 0;
    for (;;) {
      const { bytesRead, buffer } = await this.#file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, this.#offset);
      if (bytesRead === 0) return lines;
      this.#offset += bytesRead;
      const text = Buffer.concat([this.#rest, buffer.subarray(0, bytesRead)]);
      const end = text.lastIndexOf(10) + 1;
      this.#rest = text.subarray(end);
      if (end > 0)
        lines.push(
          ...text
            .subarray(0, end - 1)
            .toString("utf8")
            .split("\n"),
        );
    }
  }
}

/** Where the last `count` lines of a file begin, read backwards from its end. */
async function startOfLines(file: FileHandle, size: number, count: number): Promise<number> {
  let found = 0;
  for (let end = size; end > 0; ) {
    const from = Math.max(0, end - chunkBytes);
    const { buffer } = await file.read(Buffer.alloc(end - from), 0, end - from, from);
    for (let at = end - from - 1; at >= 0; at -= 1) {
      // The end of the last line begins no other.
      if (buffer[at] !== 10 || from + at === size - 1) continue;
      found += 1;
      if (found === count) return from + at + 1;
    }
    end = from;
  }
  return count === 0 ? size : 0;
}
