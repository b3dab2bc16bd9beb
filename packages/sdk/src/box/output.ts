import type { ExecStatus } from "@boxrun/contract";
import type { ExecEvent } from "../exec-events.ts";
import { logBytes } from "../output.ts";

/** How a command ended. */
export interface ExecEnd {
  /** `null`: it has none, because its box went away under it, for example. */
  readonly exitCode: number | null;
  readonly status: Exclude<ExecStatus, "running">;
  /** Why it did not come to its own end. */
  readonly errorMessage: string | null;
}

/** One piece of a command's output, or its end. `seq` counts from 1: `box.follow(id, { after: seq })` goes on behind it. */
export type ExecStreamEvent = OutputEvent | ({ readonly type: "exit"; readonly seq: number } & ExecEnd);

export interface OutputEvent {
  readonly type: "stdout" | "stderr";
  /** What is not UTF-8 is replaced in it. */
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly seq: number;
  /** Output is missing here, because it passed the server's limit; `text` says how much. */
  readonly truncated: boolean;
}

export type ExecResult = ExecEnd & {
  /** The exec's id. */
  readonly id: string;
  /** It ended with exit code 0. */
  readonly ok: boolean;
  /** What is not UTF-8 is replaced in it. */
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Uint8Array;
  readonly stderrBytes: Uint8Array;
  /** Output is missing, because it passed the server's limit; where, the text says. */
  readonly truncated: boolean;
};

export function outputEvent(event: Extract<ExecEvent, { readonly event: "log" }>): OutputEvent {
  const { seq } = event;
  const bytes = logBytes(event);
  const text = event.encoding === undefined ? event.data : new TextDecoder().decode(bytes);
  return { type: event.stream, text, bytes, seq, truncated: event.truncated === true };
}

/** Output as it comes, put together. */
export class CollectedOutput {
  readonly #pieces: Record<"stdout" | "stderr", Uint8Array[]> = { stdout: [], stderr: [] };
  #truncated = false;

  add(event: OutputEvent): void {
    this.#pieces[event.type].push(event.bytes);
    this.#truncated ||= event.truncated;
  }

  result(id: string, { exitCode, status, errorMessage }: ExecEnd): ExecResult {
    const [stdoutBytes, stderrBytes] = [joined(this.#pieces.stdout), joined(this.#pieces.stderr)];
    const decoder = new TextDecoder();
    return {
      id,
      ok: status === "succeeded",
      exitCode,
      status,
      errorMessage,
      stdout: decoder.decode(stdoutBytes),
      stderr: decoder.decode(stderrBytes),
      stdoutBytes,
      stderrBytes,
      truncated: this.#truncated,
    };
  }
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
