import type { TerminalSize } from "boxrun-sdk";
import { write } from "../output/streams.ts";
import { TerminalModes } from "./modes.ts";

/** Signals that end a process and that nothing else here listens for: the terminal is put in order before they do. */
const fatalSignals = ["SIGQUIT", "SIGALRM", "SIGUSR2", "SIGXCPU"] as const;
const unknownSize: TerminalSize = { cols: 80, rows: 24 };

interface HostTerminalOptions {
  /** Keys go to the program as they are, Ctrl-C and Ctrl-Z too. Otherwise they are this terminal's and no input is read. */
  readonly raw: boolean;
}

/** The terminal that this process was started in. Disposing of it puts it back as it was found, and so does every end of the process but SIGKILL. */
export class HostTerminal implements Disposable {
  readonly #raw: boolean;
  readonly #modes = new TerminalModes();
  readonly #clean = new DisposableStack();
  #restored = false;

  constructor({ raw }: HostTerminalOptions) {
    this.#raw = raw;
    const restore = () => this.#restore();
    this.#listen("exit", restore);
    // Before the message, so that its lines begin at the left.
    this.#listen("uncaughtExceptionMonitor", restore);
    for (const signal of fatalSignals) {
      this.#listen(signal, () => {
        this[Symbol.dispose]();
        process.kill(process.pid, signal);
      });
    }
    if (!raw) return;
    process.stdin.setRawMode(true);
    // Stopped from outside, the shell took the terminal for itself.
    this.#listen("SIGCONT", () => {
      process.stdin.setRawMode(false);
      process.stdin.setRawMode(true);
    });
  }

  /** Calls `onResize` with every new size, and once more after the process was stopped: the screen is then to be drawn again. */
  watchSize(onResize: (size: TerminalSize) => void): void {
    const stream = screen();
    const changed = () => onResize(terminalSize());
    stream?.on("resize", changed);
    this.#clean.defer(() => stream?.off("resize", changed));
    this.#listen("SIGCONT", changed);
  }

  /** Calls `onInput` with what is typed; reads no further before what it returns has resolved. `onEnd`: the terminal is gone. */
  readInput(onInput: (bytes: Uint8Array) => Promise<void>, onEnd: () => void): void {
    const { stdin } = process;
    const take = (chunk: Buffer) => {
      stdin.pause();
      void onInput(chunk).then(() => {
        if (!this.#clean.disposed) stdin.resume();
      });
    };
    stdin.on("data", take).on("end", onEnd).on("error", onEnd);
    // An error that comes late must not end the process with a stack trace.
    this.#clean.defer(() => void stdin.off("data", take).off("end", onEnd).pause());
  }

  /** Resolves when standard output has taken it. BrokenPipe. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#modes.follow(bytes);
    await write(process.stdout, bytes);
  }

  [Symbol.dispose](): void {
    this.#clean.dispose();
    this.#restore();
  }

  #restore(): void {
    if (this.#restored) return;
    this.#restored = true;
    try {
      // A terminal takes this at once, also in a process that is about to end.
      if (process.stdout.isTTY) process.stdout.write(`${this.#modes.reset()}${this.#modes.atLineStart ? "" : "\r\n"}`);
      if (this.#raw) process.stdin.setRawMode(false);
    } catch {
      // The terminal itself is gone.
    }
  }

  #listen(event: string, listener: () => void): void {
    process.on(event, listener);
    this.#clean.defer(() => process.off(event, listener));
  }
}

export function terminalSize(): TerminalSize {
  const [cols, rows] = screen()?.getWindowSize() ?? [0, 0];
  return cols > 0 && rows > 0 ? { cols, rows } : unknownSize;
}

/** A stream that knows the terminal's size. */
function screen(): NodeJS.WriteStream | undefined {
  return [process.stdout, process.stderr].find((stream) => stream.isTTY);
}
