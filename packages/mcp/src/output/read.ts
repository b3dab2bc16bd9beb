import { type ExecEvent, type LogEvent, logBytes } from "boxrun-sdk";

export type Stream = LogEvent["stream"];

/** What takes an exec's output as it comes. */
export interface OutputReader {
  add(text: string): void;
}

/** Passes events on as text, whatever their bytes are. */
export class OutputText {
  readonly #readers: Readonly<Record<Stream, OutputReader>>;
  readonly #decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };

  constructor(readers: Readonly<Record<Stream, OutputReader>>) {
    this.#readers = readers;
  }

  add(event: Extract<ExecEvent, { event: "log" }>): void {
    const text = this.#decoders[event.stream].decode(logBytes(event), { stream: true });
    if (text !== "") this.#readers[event.stream].add(text);
  }

  /** At the end of the output: what was only half a character is shown as such. */
  end(): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const rest = this.#decoders[stream].decode();
      if (rest !== "") this.#readers[stream].add(rest);
    }
  }
}
