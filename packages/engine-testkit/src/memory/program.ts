import type { Duplex } from "node:stream";
import type { SignalName, TerminalSize } from "@boxrun/contract";
import type { MemoryFileSystem } from "./file-system.ts";

/** What a program in a memory box is given. */
export interface ProgramContext {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
  readonly hostname: string;
  readonly files: MemoryFileSystem;
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Resolves when the output is in the spool: a program that awaits it feels the back pressure. */
  readonly stdout: Write;
  readonly stderr: Write;
  readonly terminal: () => TerminalSize | null;
  /** Handles a signal instead of dying of it. SIGKILL can't be handled. */
  readonly trap: (name: SignalName, handler: () => void) => void;
  /** Aborts when the program has been killed: what it still awaits should end. */
  readonly killed: AbortSignal;
  /** Serves a TCP port of the box until the program ends; throws if another one does. */
  readonly listen: (port: number, serve: (connection: Duplex) => void) => void;
  /** Runs another program in this one's place, with changes. */
  readonly run: (argv: readonly string[], changes: Partial<ProgramContext>) => Promise<number>;
}

export type Write = (data: string | Uint8Array) => Promise<void>;

/** Resolves with the exit code; nothing is 0. A throw is code 1, with the message on stderr. */
export type Program = (context: ProgramContext) => Promise<number | undefined>;

/** Absolute, or relative to the working directory. */
export function absolute(context: Pick<ProgramContext, "cwd">, path: string): string {
  return path.startsWith("/") ? path : `${context.cwd}/${path}`;
}
