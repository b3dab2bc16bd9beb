import { once } from "node:events";
import { statSync } from "node:fs";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";

/** What the log's file shrinks back to once all of it was moved. With more, moving it is worth a thread. */
export const logKeptBytes = 16 * 1024 * 1024;
/** From where on it is moved while more is being written. */
const mostBytes = 128 * 1024 * 1024;
/** For how long nothing is written before it is moved: then that is in nobody's way. */
const quietMs = 500;
/** How long a thread without work is kept. */
const idleMs = 2_000;
/** For the little that it does. */
const resourceLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 };

const workerFile = new URL(`./checkpoint-worker${extname(import.meta.url)}`, import.meta.url);

/**
 * Has the write-ahead log moved into a database's file when much was written: by a thread of its own, since that waits for the disk, and when writing pauses, since both of them
 * want the disk. Where this does not keep up, or does not work, SQLite does it in the middle of a commit.
 */
export class Checkpoints {
  readonly #path: string;
  #worker: Worker | undefined;
  #isMoving = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Something was written just now. */
  wrote(): void {
    if (this.#isMoving || this.#isClosed) return;
    const size = this.#logBytes();
    if (size >= mostBytes) this.#move();
    else if (size > logKeptBytes) this.#after(quietMs, () => this.#move());
  }

  /** Resolves when nothing moves any more, and nothing will. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#end();
  }

  /** Takes some 3 µs. Of a log that is not there, or can't be looked at, nothing is to be moved. */
  #logBytes(): number {
    try {
      return statSync(`${this.#path}-wal`).size;
    } catch {
      return 0;
    }
  }

  async #end(): Promise<void> {
    clearTimeout(this.#timer);
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    // Else this process might end before.
    worker.ref();
    // Its death is an end of moving, too.
    if (this.#isMoving) await once(worker, "message").catch(() => undefined);
    await worker.terminate();
  }

  #move(): void {
    clearTimeout(this.#timer);
    this.#isMoving = true;
    this.#worker ??= this.#start();
    this.#worker.postMessage("move");
  }

  #start(): Worker {
    const worker = new Worker(workerFile, { workerData: this.#path, resourceLimits });
    worker.unref();
    const isOver = () => {
      if (this.#worker !== worker) return;
      this.#isMoving = false;
      this.#after(idleMs, () => void this.#end());
    };
    worker.on("message", isOver);
    // It has died: the next one is started anew.
    worker.on("error", () => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#isMoving = false;
    });
    return worker;
  }

  #after(ms: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms).unref();
  }
}
