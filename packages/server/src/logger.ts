import { BoxRunError } from "@boxrun/contract";
import { type Logger, pino } from "pino";
import type { LogLevel } from "./settings.ts";

/** Fields that would be secrets if anybody ever logged them. */
const secrets = ["authorization", "cookie", "token", "env"];

export interface ServerLog {
  readonly logger: Logger;
  /** Everything that was logged is written. */
  close(): void;
}

/** JSON lines on standard error or at the end of `file`, which is made with mode 0600. */
export function openLog(options: { readonly level: LogLevel; readonly file: string | null }): ServerLog {
  const { level, file } = options;
  const destination = openDestination(file);
  // A log that can't be written (a full disk, a closed terminal) must not end the server.
  destination.on("error", () => undefined);
  let isClosed = false;
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
      write: (line: string) => void (isClosed || destination.write(line)),
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
