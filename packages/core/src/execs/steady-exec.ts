import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { BoxRunError, type SignalName, type TerminalSize } from "@boxrun/contract";
import type { Reach } from "../boxes/reach.ts";
import type { EngineExec, ExecExit, OutputChunk, OutputOffsets, StdinOptions } from "../ports/engine.ts";
import { type RetryTimes, waits } from "../retry.ts";
import { unlessAborted } from "../unless-aborted.ts";

interface SteadyOptions {
  readonly id: string;
  readonly boxId: string;
  /** What of its output is stored already. */
  readonly from: OutputOffsets;
  /** Starts it, or picks it up. Done again if the box has not answered: it may have started nothing twice. */
  readonly begin: () => Promise<EngineExec>;
  /** Picks it up again behind a silence; `undefined` if the box doesn't have it. */
  readonly resume: (from: OutputOffsets) => Promise<EngineExec | undefined>;
  readonly reach: Reach;
  readonly retryTimes: RetryTimes;
}

export function isUnreachable(error: unknown): error is BoxRunError {
  return error instanceof BoxRunError && error.code === "BOX_UNREACHABLE";
}

/**
 * An exec that outlasts its box's silences: while the box does not answer it waits, and it goes on behind the last byte that it has handed out. Only the
 * box's own word ends it, the box's end, or `giveUp`.
 */
export class SteadyExec implements EngineExec {
  readonly id: string;
  readonly output: AsyncIterable<OutputChunk>;
  readonly exit: Promise<ExecExit>;
  /** Whether its end came along with its start; resolves also when the box has not answered, and nobody knows. Rejects if it could not be started. */
  readonly started: Promise<boolean>;
  readonly #options: SteadyOptions;
  readonly #exit = Promise.withResolvers<ExecExit>();
  readonly #started = Promise.withResolvers<boolean>();
  readonly #givenUp = new AbortController();
  /** What the engine has of it now; pends while the box does not answer. */
  #now: Promise<EngineExec>;
  #known: EngineExec | undefined;
  #hasBegun = false;
  #boxEnd: BoxRunError | undefined;
  #canceled = false;
  #received: OutputOffsets;
  #stored: OutputOffsets;

  constructor(options: SteadyOptions) {
    this.id = options.id;
    this.#options = options;
    this.#received = options.from;
    this.#stored = options.from;
    this.started = this.#started.promise;
    this.exit = this.#exit.promise;
    this.#now = this.#open();
    this.#now.catch((error: unknown) => this.#started.reject(error));
    // Whoever doesn't ask must not end the server by that.
    for (const promise of [this.exit, this.started]) promise.catch(() => undefined);
    this.output = this.#read();
  }

  get isOver(): boolean {
    return this.#known?.isOver ?? false;
  }

  /** How far its output was acknowledged. */
  get stored(): OutputOffsets {
    return this.#stored;
  }

  /** Resolves once nothing is under way that could start it. */
  async settled(): Promise<void> {
    await this.#now.catch(() => undefined);
  }

  acknowledge(offsets: OutputOffsets): void {
    this.#stored = offsets;
    this.#known?.acknowledge(offsets);
  }

  async writeStdin(content: Readable, options: StdinOptions): Promise<void> {
    try {
      await (await this.#current(options.signal)).writeStdin(content, options);
    } catch (error) {
      content.destroy();
      throw error;
    }
  }

  async resize(size: TerminalSize): Promise<void> {
    await (await this.#current()).resize(size);
  }

  async signal(name: SignalName): Promise<void> {
    await (await this.#current()).signal(name);
  }

  /** Said again to a box that was silent meanwhile, and to one that has not answered to it, though its output goes on. */
  async cancel(): Promise<void> {
    this.#canceled = true;
    for (const waitMs of waits(this.#options.retryTimes)) {
      try {
        return await (await this.#current()).cancel();
      } catch (error) {
        if (!isUnreachable(error) || this.isOver) throw error;
        // Given up meanwhile: the next turn tells why.
        await delay(waitMs, undefined, { signal: this.#givenUp.signal, ref: false }).catch(() => undefined);
      }
    }
  }

  async forget(): Promise<void> {
    await this.#known?.forget();
  }

  letGo(): void {
    this.giveUp(new BoxRunError("CANCELED", `exec ${this.id} was let go`));
  }

  /** Nobody waits any longer: what is not over ends with `reason`. */
  giveUp(reason: Error): void {
    this.#givenUp.abort(reason);
    this.#started.resolve(false);
    this.#known?.letGo();
    this.#exit.reject(reason);
  }

  /** The VM that had it is gone: what comes up under the box's name has not, and must not be asked to start it. */
  boxEnded(message: string): void {
    this.#boxEnd ??= new BoxRunError("RUNTIME_ERROR", message);
  }

  #current(signal?: AbortSignal): Promise<EngineExec> {
    const stops = signal === undefined ? this.#givenUp.signal : AbortSignal.any([signal, this.#givenUp.signal]);
    return unlessAborted(this.#now, stops);
  }

  async #open(): Promise<EngineExec> {
    const { id, boxId, begin, resume, reach } = this.#options;
    for (;;) {
      if (this.#boxEnd !== undefined) throw this.#boxEnd;
      try {
        if (reach.why(boxId) !== undefined) {
          this.#started.resolve(false);
          await unlessAborted(reach.back(boxId), this.#givenUp.signal);
          if (this.#boxEnd !== undefined) throw this.#boxEnd;
        }
        const exec = this.#hasBegun ? await resume(this.#stored) : await begin();
        if (exec === undefined) throw forgotten(id);
        return this.#take(exec);
      } catch (error) {
        this.#givenUp.signal.throwIfAborted();
        if (this.#boxEnd !== undefined || !isUnreachable(error)) throw error;
        reach.lost(boxId, error.message);
      }
    }
  }

  #take(exec: EngineExec): EngineExec {
    this.#hasBegun = true;
    this.#known = exec;
    this.#started.resolve(exec.isOver);
    // A box that dies while nobody reads.
    exec.exit.catch((error: unknown) => {
      if (this.#known === exec && !isUnreachable(error)) this.#exit.reject(error);
    });
    if (this.#givenUp.signal.aborted) exec.letGo();
    // Whether it has been told is not known; twice is as once. What is wrong with the connection shows where the output is read.
    else if (this.#canceled) exec.cancel().catch(() => undefined);
    return exec;
  }

  async *#read(): AsyncGenerator<OutputChunk, void, void> {
    try {
      for (;;) {
        const exec = await this.#current();
        try {
          for await (const chunk of exec.output) {
            const fresh = this.#fresh(chunk);
            if (fresh !== undefined) yield fresh;
          }
          this.#exit.resolve(await unlessAborted(exec.exit, this.#givenUp.signal));
          return;
        } catch (error) {
          this.#givenUp.signal.throwIfAborted();
          if (!isUnreachable(error)) throw error;
          exec.letGo();
          this.#options.reach.lost(this.#options.boxId, error.message);
          this.#now = this.#open();
          this.#now.catch(() => undefined);
        }
      }
    } catch (error) {
      this.#exit.reject(error);
      throw error;
    }
  }

  /** Without what was handed out before: behind a silence it comes again from what is stored on. */
  #fresh(chunk: OutputChunk): OutputChunk | undefined {
    const { stream, offset, data } = chunk;
    const received = this.#received[stream];
    const end = offset + data.length;
    if (end <= received) return undefined;
    this.#received = { ...this.#received, [stream]: end };
    return offset >= received ? chunk : { stream, offset: received, data: data.subarray(received - offset) };
  }
}

/** The box's own word that it doesn't have an exec: its end will never be known. */
function forgotten(execId: string): BoxRunError {
  return new BoxRunError("RUNTIME_ERROR", `The box no longer has this command (${execId}): its end is not known`);
}
