import type { ExitData } from "@boxrun/contract";
import type { Clock } from "../ports/clock.ts";
import type { EngineExec, ExecExit, OutputChunk, OutputOffsets } from "../ports/engine.ts";
import type { ExecFinish, OutputLimit, OutputPart, OutputPiece, OutputProgress, Store } from "../ports/store.ts";
import { batches } from "./batches.ts";
import { OutputText } from "./output-text.ts";
import type { Readers } from "./readers.ts";
import { type Patience, untilStored } from "./until-stored.ts";

export interface PumpOptions extends Patience {
  readonly exec: EngineExec;
  readonly store: Store;
  /** What of it is stored already. */
  readonly progress: OutputProgress;
  readonly clock: Clock;
  /** Bytes of output to keep: the beginning and the end. */
  readonly outputLimitBytes: number;
  /** Who follows it. */
  readonly readers: Readers;
  /** `false` while its box is being ended: readers hold up nothing then. */
  readonly mayWaitForReaders: () => boolean;
  /** The program waits for the store, or for its readers. */
  readonly onHeldUp: (isHeldUp: boolean) => void;
  /** Something new can be read. */
  readonly onStored: (bytes: number) => void;
}

/** How an exec ended, in the store's terms, and what of its output is still to be stored, with the end. */
export type ExecEnd = Omit<ExecFinish, "finishedAtMs" | "exitData" | "last"> & {
  readonly exitData: ExitData;
  readonly last: TakenOutput | null;
};

interface TakenOutput extends OutputPart {
  readonly limit: OutputLimit;
  /** Of the output itself, not of its events. */
  readonly bytes: number;
}

/** As much as one transaction takes in. */
const batchBytes = 1024 * 1024;

/**
 * Moves one exec's output from the engine into the store: written, then announced, then acknowledged. When the store can't take it (a
 * full disk), it tries again and the program in the box waits; nothing is dropped. Output beyond the limit goes from the middle of what is
 * stored, but not from under a reader that moves: for that one the program waits, too. Resolves with the end, or `undefined` if
 * the exec was released first. Rejects if the box dies.
 */
export async function pumpOutput(options: PumpOptions): Promise<ExecEnd | undefined> {
  const pump = new OutputPump(options);
  try {
    for await (const { items, isLast } of batches(options.exec.output, batchBytes, (chunk) => chunk.data.length)) {
      pump.take(items);
      if (!isLast) await pump.store(pump.taken());
    }
    const exit = await options.exec.exit;
    return options.released.aborted ? undefined : execEnd(exit, pump.last());
  } catch (error) {
    if (options.released.aborted) return undefined;
    const last = pump.last();
    if (last !== null) await pump.store(last);
    throw error;
  }
}

class OutputPump {
  readonly #options: PumpOptions;
  readonly #texts = { stdout: new OutputText("stdout"), stderr: new OutputText("stderr") };
  #progress: OutputProgress;
  /** Where the next byte of each stream belongs, given out or held. */
  #offsets: OutputOffsets;
  /** Taken, and not given out yet. */
  #pieces: OutputPiece[] = [];

  constructor(options: PumpOptions) {
    this.#options = options;
    this.#progress = options.progress;
    this.#offsets = options.progress.offsets;
  }

  take(chunks: readonly OutputChunk[]): void {
    for (const { stream, data } of joined(chunks)) {
      this.#pieces.push(...this.#texts[stream].add(data));
      this.#offsets = { ...this.#offsets, [stream]: this.#offsets[stream] + data.length };
    }
  }

  /** Gives out what was taken, but for a cut character. */
  taken(): TakenOutput {
    const atMs = this.#options.clock.now();
    const events = this.#pieces.map((piece) => ({ ...piece, atMs }));
    this.#pieces = [];
    const before = this.#progress.offsets;
    const offsets = {
      stdout: this.#offsets.stdout - this.#texts.stdout.heldBytes,
      stderr: this.#offsets.stderr - this.#texts.stderr.heldBytes,
    };
    this.#progress = { offsets, awaitedSeq: this.#options.readers.awaitedSeq() };
    const bytes = offsets.stdout - before.stdout + offsets.stderr - before.stderr;
    return { events, progress: this.#progress, limit: this.#limit(), bytes };
  }

  /** Gives out what is left, a cut character too: nothing will complete it. */
  last(): TakenOutput | null {
    this.#pieces.push(...this.#texts.stdout.end(), ...this.#texts.stderr.end());
    return this.#pieces.length === 0 ? null : this.taken();
  }

  async store(part: TakenOutput): Promise<void> {
    const { exec, onHeldUp, onStored } = this.#options;
    onHeldUp(true);
    const keptBytes = await this.#append(part);
    onStored(part.bytes);
    exec.acknowledge(part.progress.offsets);
    if (keptBytes > this.#options.outputLimitBytes) await this.#makeRoom(part);
    onHeldUp(false);
  }

  /** Waits until the readers that move have taken what is to go. */
  async #makeRoom(part: TakenOutput): Promise<void> {
    const { readers, released, mayWaitForReaders, outputLimitBytes } = this.#options;
    for (let { untilSeq } = part.limit; untilSeq !== null && mayWaitForReaders() && !released.aborted; ) {
      await readers.changed(untilSeq, released);
      const nothing = this.taken();
      if ((await this.#append(nothing)) <= outputLimitBytes) return;
      untilSeq = nothing.limit.untilSeq;
    }
  }

  /** Resolves with what is kept then. */
  #append({ events, progress, limit }: TakenOutput): Promise<number> {
    const { execId, store } = this.#options;
    return untilStored(() => store.output.append(execId, events, progress, limit), this.#options);
  }

  #limit(): OutputLimit {
    return { bytes: this.#options.outputLimitBytes, untilSeq: this.#options.readers.awaitedSeq() };
  }
}

/** Neighbouring chunks of one stream, put together: one event instead of one per line. */
function* joined(chunks: readonly OutputChunk[]): Generator<{ stream: "stdout" | "stderr"; data: Uint8Array }> {
  let index = 0;
  for (let first = chunks[index]; first !== undefined; first = chunks[index]) {
    const run: Uint8Array[] = [];
    let bytes = 0;
    for (let next = chunks[index]; next?.stream === first.stream && bytes < eventBytes; next = chunks[index]) {
      run.push(next.data);
      bytes += next.data.length;
      index += 1;
    }
    yield { stream: first.stream, data: run.length === 1 ? first.data : Buffer.concat(run) };
  }
}

/** A log event is about this long at most, so that a reader takes it in one go. */
const eventBytes = 64 * 1024;

function execEnd(exit: ExecExit, last: TakenOutput | null): ExecEnd {
  const status =
    exit.reason === "timeout" || exit.reason === "canceled"
      ? exit.reason
      : exit.code === 0 && exit.reason === "exited"
        ? "succeeded"
        : "failed";
  const errorMessage = exit.message ?? endMessages[exit.reason];
  const exitCode = exit.code;
  return { status, exitCode, errorMessage, exitData: exitData(exitCode, errorMessage), last, isUnconfirmed: false };
}

const endMessages: Record<ExecExit["reason"], string | null> = {
  exited: null,
  signaled: null,
  timeout: "The command ran longer than its timeout and was killed",
  canceled: "The command was canceled",
  not_started: "The command could not be started",
};

/** For an exec whose end its box has not told in time. Whether the program is gone nobody knows, and the message says so. */
export function hostEnd(status: "timeout" | "canceled" | "failed", errorMessage = unconfirmed(status)): ExecEnd {
  return { ...failedEnd(errorMessage), status, isUnconfirmed: true };
}

function unconfirmed(status: "timeout" | "canceled" | "failed"): string {
  const told = { timeout: "ran longer than its timeout", canceled: "was canceled", failed: "was to end" }[status];
  return `The command ${told}, and its box has not confirmed that it ended: it may still run. Stopping the box ends it for sure`;
}

/** What is said of such an exec once its box has told. */
export const confirmedEnds = {
  canceled: `${endMessages.canceled}; that it ended was confirmed later`,
  timeout: `${endMessages.timeout}; that it ended was confirmed later`,
} as const;

/** For an exec whose end the engine can't tell. */
export function failedEnd(errorMessage: string): ExecEnd {
  const data = exitData(null, errorMessage);
  return { status: "failed", exitCode: null, errorMessage, exitData: data, last: null, isUnconfirmed: false };
}

function exitData(exitCode: number | null, error: string | null): ExitData {
  return error === null ? { exit_code: exitCode } : { exit_code: exitCode, error };
}
