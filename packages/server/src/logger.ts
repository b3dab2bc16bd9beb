import { renameSync, statSync } from "node:fs";
import { BoxRunError } from "@boxrun/contract";
import { type Logger, pino } from "pino";
import type { LogLevel } from "./settings.ts";

/** Fields that would be secrets if anybody ever logged them. */
const secrets = ["authorization", "cookie", "token", "env"];

/** How long a log gets before a new one takes its place; the one before it is kept, with `.1` behind its name. */
const defaultMaxBytes = 10 * 1024 * 1024;

export interface ServerLog {
  readonly logger: Logger;
  /** Everything that was logged is written. */
  close(): void;
}

interface LogOptions {
  readonly level: LogLevel;
  readonly file: string | null;
  readonly maxBytes?: number;
}

/** JSON lines on standard error or at the end of `file`, which is made with mode 0600, and replaced when it is long. */
export function openLog({ level, file, maxBytes = defaultMaxBytes }: LogOptions): ServerLog {
  const destination = openDestination(file);
  // A log that can't be written (a full disk, a closed terminal) must not end the server.
  destination.on("error", () => undefined);
  let isClosed = false;
  let bytes = file === null ? 0 : sizeOf(file);
  const write = (line: string) => {
    if (isClosed) return;
    destination.write(line);
    bytes += Buffer.byteLength(line);
    if (file === null || bytes < maxBytes) return;
    // What can't be renamed grows on, and is tried again after as much.
    bytes = 0;
    if (movedAside(file)) destination.reopen();
  };
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.headers.${name}`]), censor: "[redacted]" },
    },
    {
      // Connections end in their own time: one that does so behind the last line is not told of.
      write,
    },
  );
  return {
    logger,
    close: () => {
      isClosed = true;
      destination.flushSync();
      if (file !== null) destination.end();
    },
  };
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function movedAside(file: string): boolean {
  try {
    renameSync(file, `${file}.1`);
    return true;
  } catch {
    return false;
  }
}

function openDestination(file: string | null) {
  try {
    // Synchronous: what a server says last, before it dies, is what is looked for.
    return pino.destination({ dest: file ?? 2, append: true, mode: 0o600, sync: true });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BoxRunError("RUNTIME_ERROR", `Cannot write the log ${file}: ${why}. Choose another --log-file.`, {
      cause: error,
    });
  }
}
