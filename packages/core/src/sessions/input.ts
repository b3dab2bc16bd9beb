import { Readable } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import type { EngineExec } from "../ports/engine.ts";

/** What goes to the box in one request, in bytes. */
const batchBytes = 64 * 1024;

interface Typed {
  readonly data: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What clients type, in the order in which it came. While one request is under way, what follows gathers for the next. */
export class TerminalInput {
  readonly #exec: EngineExec;
  readonly #ended: AbortSignal;
  #waiting: Typed[] = [];
  #writing = false;

  constructor(exec: EngineExec, ended: AbortSignal) {
    this.#exec = exec;
    this.#ended = ended;
  }

  /** Resolves when the box has taken it, or when the shell has ended: nobody misses it then. */
  write(data: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ data, resolve, reject });
      if (!this.#writing) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#writing = true;
    for (let batch = this.#next(); batch.length > 0; batch = this.#next()) {
      try {
        const content = Readable.from([Buffer.concat(batch.map(({ data }) => data))], { objectMode: false });
        await this.#exec.writeStdin(content, { eof: false, signal: this.#ended });
        for (const { resolve } of batch) resolve();
      } catch (error) {
        const isOver = this.#ended.aborted || (error instanceof BoxRunError && error.code === "EXEC_ALREADY_FINISHED");
        for (const { resolve, reject } of batch) isOver ? resolve() : reject(error);
      }
    }
    this.#writing = false;
  }

  #next(): Typed[] {
    let bytes = 0;
    const count = this.#waiting.findIndex(({ data }) => {
      bytes += data.length;
      return bytes > batchBytes;
    });
    return this.#waiting.splice(0, count < 0 ? this.#waiting.length : Math.max(count, 1));
  }
}
