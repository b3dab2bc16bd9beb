import type { ExitData } from "@boxrun/contract";
import type { Clock } from "../ports/clock.ts";
import type { EngineExec, ExecExit, OutputChunk, OutputOffsets } from "../ports/engine.ts";
import type { ExecFinish, OutputPiece, OutputProgress, Store } from "../ports/store.ts";
import { batches } from "./batches.ts";
import { OutputText } from "./output-text.ts";
import { type Patience, untilStored } from "./until-stored.ts";

export interface PumpOptions extends Patience {
  readonly exec: EngineExec;
  readonly store: Store;
  readonly clock: Clock;
  /** Bytes of output to keep; what comes after is read and dropped, behind an event that says so. */
  readonly outputLimitBytes: number;
  /** Something new can be read. */
  readonly onStored: (bytes: number) => void;
}

/** How an exec ended, in the store's terms. */
export type ExecEnd = Omit<ExecFinish, "finishedAtMs" | "exitData"> & { readonly exitData: ExitData };

/** As much as one transaction takes in. */
const batchBytes = 1024 * 1024;

/**
 * Moves one exec's output from the engine into the store: written, then announced, then acknowledged. When the store can't take it (a
 * full disk), it tries again and the program in the box waits; nothing is dropped. Resolves with the end, or `undefined` if
 * the exec was released first. Rejects if the box dies.
 */
export async function pumpOutput(options: PumpOptions): Promise<ExecEnd | undefined> {
  const pump = new OutputPump(options);
  try {
    for await (const chunks of batches(options.exec.output, batchBytes, (chunk) => chunk.data.length)) {
      await pump.store(chunks);
    }
    const exit = await options.exec.exit;
    await pump.end();
    return options.released.aborted ? undefined : execEnd(exit);
  } catch (error) {
    if (options.released.aborted) return undefined;
    await pump.end();
    throw error;
  }
}

class OutputPump {
  readonly #options: PumpOptions;
  readonly #texts = { stdout: new OutputText("stdout"), stderr: new OutputText("stderr") };
  #progress: OutputProgress;
  /** Where the next byte of each stream belongs, given out or held. */
  #taken: OutputOffsets;

  constructor(options: PumpOptions) {
    this.#options = options;
    this.#progress = options.store.output.progress(options.execId);
    this.#taken = this.#progress.offsets;
  }

  async store(chunks: readonly OutputChunk[]): Promise<void> {
    const pieces: OutputPiece[] = [];
    for (const { stream, data } of joined(chunks)) {
      pieces.push(...this.#limited(this.#texts[stream].add(data), data.length));
      this.#taken = { ...this.#taken, [stream]: this.#taken[stream] + data.length };
    }
    await this.#commit(pieces);
  }

  /** Gives out what is held of a cut character: nothing will complete it. */
  async end(): Promise<void> {
    const rest = [...this.#texts.stdout.end(), ...this.#texts.stderr.end()];
    if (rest.length > 0) await this.#commit(this.#limited(rest, 0));
  }

  #limited(pieces: OutputPiece[], bytes: number): OutputPiece[] {
    if (this.#progress.truncated) return [];
    const storedBytes = this.#progress.storedBytes + bytes;
    if (storedBytes <= this.#options.outputLimitBytes) {
      this.#progress = { ...this.#progress, storedBytes };
      return pieces;
    }
    this.#progress = { ...this.#progress, truncated: true };
    return [truncation(this.#options.outputLimitBytes)];
  }

  async #commit(pieces: readonly OutputPiece[]): Promise<void> {
    const { execId, store, clock, exec, onStored } = this.#options;
    const atMs = clock.now();
    const events = pieces.map((piece) => ({ ...piece, atMs }));
    const before = this.#progress.offsets;
    const offsets = {
      stdout: this.#taken.stdout - this.#texts.stdout.heldBytes,
      stderr: this.#taken.stderr - this.#texts.stderr.heldBytes,
    };
    this.#progress = { ...this.#progress, offsets };
    await untilStored(() => store.output.append(execId, events, this.#progress), this.#options);
    onStored(offsets.stdout - before.stdout + offsets.stderr - before.stderr);
    exec.acknowledge(offsets);
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

function truncation(limitBytes: number): OutputPiece {
  const limit = `${Math.floor(limitBytes / 1024 / 1024)} MiB`;
  return {
    stream: "stderr",
    data: `\n[boxrun: the output of this command passed ${limit}; the rest of it was not kept]\n`,
    base64: false,
    truncated: true,
  };
}

function execEnd(exit: ExecExit): ExecEnd {
  const status =
    exit.reason === "timeout" || exit.reason === "canceled"
      ? exit.reason
      : exit.code === 0 && exit.reason === "exited"
        ? "succeeded"
        : "failed";
  const errorMessage = exit.message ?? endMessages[exit.reason];
  return { status, exitCode: exit.code, errorMessage, exitData: exitData(exit.code, errorMessage) };
}

const endMessages: Record<ExecExit["reason"], string | null> = {
  exited: null,
  signaled: null,
  timeout: "The command ran longer than its timeout and was killed",
  canceled: "The command was canceled",
  not_started: "The command could not be started",
};

/** For an exec whose end the engine can't tell. */
export function failedEnd(errorMessage: string): ExecEnd {
  return { status: "failed", exitCode: null, errorMessage, exitData: exitData(null, errorMessage) };
}

function exitData(exitCode: number | null, error: string | null): ExitData {
  return error === null ? { exit_code: exitCode } : { exit_code: exitCode, error };
}
