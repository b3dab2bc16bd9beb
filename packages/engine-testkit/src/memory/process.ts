import { constants } from "node:os";
import { BoxRunError, type SignalName, type TerminalSize } from "@boxrun/contract";
import type { EngineExec, ExecExit, ExecSpec, OutputChunk, OutputOffsets } from "@boxrun/core";
import { Signal } from "./signal.ts";
import { Spool } from "./spool.ts";
import { Stdin } from "./stdin.ts";

/** What a program does not die of by default. */
const ignoredSignals: ReadonlySet<SignalName> = new Set([
  "SIGCONT",
  "SIGWINCH",
  "SIGSTOP",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
]);
const ctrlC = 0x03;

export interface ProcessLimits {
  readonly spoolBytes: number;
  /** Between SIGTERM and SIGKILL. */
  readonly killGraceMs: number;
}

/** One exec inside a memory box. It lives in the box, whatever server watches. */
export class MemoryProcess {
  readonly spec: ExecSpec;
  readonly spool: Spool;
  readonly stdin: Stdin;
  readonly killed = new AbortController();
  readonly #limits: ProcessLimits;
  readonly #traps = new Map<SignalName, () => void>();
  readonly #changed = new Signal();
  #terminal: TerminalSize | null;
  #exit: ExecExit | undefined;
  #lost: BoxRunError | undefined;
  #ending: "timeout" | "canceled" | undefined;
  /** Takes every request to end the program, and does nothing. */
  ignoresEnds = false;
  #timers: NodeJS.Timeout[] = [];
  #reader = 0;

  constructor(spec: ExecSpec, limits: ProcessLimits) {
    this.spec = spec;
    this.#limits = limits;
    this.#terminal = spec.tty;
    this.spool = new Spool(limits.spoolBytes);
    this.stdin = new Stdin(spec.id, spec.stdin, (data) => this.#typed(data));
    if (spec.timeoutMs !== null) this.#timers.push(setTimeout(() => this.#end("timeout"), spec.timeoutMs));
  }

  get terminal(): TerminalSize | null {
    return this.#terminal;
  }

  get hasEnded(): boolean {
    return this.#exit !== undefined || this.#lost !== undefined;
  }

  trap(name: SignalName, handler: () => void): void {
    this.#traps.set(name, handler);
  }

  /** The program is over; the first call counts. */
  exit(exit: ExecExit): void {
    if (this.hasEnded) return;
    this.#exit = this.#ending === undefined ? exit : { ...exit, reason: this.#ending };
    this.#cleanUp();
  }

  /** The VM is gone, and the program with it. */
  lose(reason: string): void {
    if (this.hasEnded) return;
    this.#lost = new BoxRunError("RUNTIME_ERROR", `Exec ${this.spec.id} was lost: ${reason}`);
    this.#cleanUp();
  }

  signal(name: SignalName): void {
    if (this.hasEnded) throw new BoxRunError("EXEC_ALREADY_FINISHED", `Exec ${this.spec.id} has ended`);
    const handler = name === "SIGKILL" ? undefined : this.#traps.get(name);
    if (handler !== undefined) handler();
    else if (!ignoredSignals.has(name)) this.exit({ code: 128 + constants.signals[name], reason: "signaled" });
  }

  cancel(): void {
    if (!this.hasEnded) this.#end("canceled");
  }

  resize(size: TerminalSize): void {
    this.#terminal = size;
    if (!this.hasEnded) this.signal("SIGWINCH");
  }

  /** A view of this process for one engine; it fails with what `closed` is aborted with. */
  open(from: OutputOffsets, broken: AbortSignal, forget: () => void): EngineExec {
    if (!this.spool.has(from)) {
      throw new BoxRunError(
        "VALIDATION_ERROR",
        `The output of exec ${this.spec.id} before what was acknowledged is gone`,
      );
    }
    this.spool.acknowledge(from);
    const left = new AbortController();
    const closed = AbortSignal.any([broken, left.signal]);
    const reached = () => closed.throwIfAborted();
    const position = { ...from };
    const state = async (): Promise<ExecExit> => {
      for (;;) {
        if (closed.aborted) throw closed.reason;
        if (this.#lost !== undefined) throw this.#lost;
        if (this.#exit !== undefined && this.spool.isReadTo(position)) return this.#exit;
        await this.#changed.next();
      }
    };
    const wake = () => {
      this.spool.wakeReaders();
      this.#changed.raise();
    };
    closed.addEventListener("abort", wake);
    const exit = state();
    exit.catch(() => undefined).finally(() => closed.removeEventListener("abort", wake));
    const read = async function* (this: MemoryProcess): AsyncGenerator<OutputChunk> {
      this.#reader += 1;
      const reader = this.#reader;
      this.spool.wakeReaders();
      const stopped = () => closed.aborted || reader !== this.#reader || this.#lost !== undefined;
      for await (const chunk of this.spool.read(from, stopped)) {
        position[chunk.stream] = chunk.offset + chunk.data.length;
        yield chunk;
        this.#changed.raise();
      }
      this.#changed.raise();
      if (closed.aborted) throw closed.reason;
      if (this.#lost !== undefined) throw this.#lost;
      if (reader !== this.#reader) throw new BoxRunError("CANCELED", `Another reader took over ${this.spec.id}`);
    };
    return {
      id: this.spec.id,
      isOver: this.hasEnded,
      output: read.call(this),
      exit,
      acknowledge: (offsets) => this.spool.acknowledge(offsets),
      writeStdin: async (content, options) => {
        reached();
        await this.stdin.write(content, options);
      },
      resize: async (size) => {
        reached();
        this.resize(size);
      },
      signal: async (name) => {
        reached();
        if (!this.ignoresEnds) this.signal(name);
      },
      cancel: async () => {
        reached();
        this.cancel();
      },
      letGo: () => left.abort(new BoxRunError("CANCELED", `Exec ${this.spec.id} was let go`)),
      forget: async () => {
        if (this.hasEnded) forget();
      },
    };
  }

  #end(reason: "timeout" | "canceled"): void {
    if (this.ignoresEnds) return;
    this.#ending ??= reason;
    this.#timers.push(
      setTimeout(() => {
        if (!this.hasEnded) this.signal("SIGKILL");
      }, this.#limits.killGraceMs),
    );
    this.signal("SIGTERM");
  }

  #typed(data: Uint8Array): Uint8Array {
    if (this.#terminal === null || !data.includes(ctrlC)) return data;
    // Later, as a terminal does it: whoever typed has written by then.
    setImmediate(() => {
      if (!this.hasEnded) this.signal("SIGINT");
    });
    return data.filter((byte) => byte !== ctrlC);
  }

  #cleanUp(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    this.spool.close();
    this.stdin.close();
    this.killed.abort();
    this.#changed.raise();
  }
}
