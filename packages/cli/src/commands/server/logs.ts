import { watch } from "node:fs";
import { dirname } from "node:path";
import { InvalidArgumentError } from "commander";
import { CommandFailure } from "../../failure.ts";
import { listenForInterrupts } from "../../interrupts.ts";
import { print } from "../../output/streams.ts";
import { ownServer } from "../../own-server.ts";
import { logLineText } from "../../server-log/line.ts";
import { LogReader, serverLogPath } from "../../server-log/reader.ts";
import { reporterOf } from "../../session.ts";
import type { Verb } from "../../verb.ts";

interface Options {
  readonly follow?: boolean;
  readonly tail: number;
}

export function define(command: Verb): void {
  command
    .option("-f, --follow", "go on with what is logged, also after a restart, until Ctrl-C")
    .option("-n, --tail <lines>", "so many lines of the end, or `all`", lineCount, 100)
    .addHelpText(
      "after",
      `
Shows the log of a server that was started in the background: server.log in the state directory. With --json the lines are as
they stand there, one JSON object each.

Examples:
  $ boxrun server logs
  $ boxrun server logs -f -n 10
  $ boxrun server logs --json --tail all | jq 'select(.level == "error")'
`,
    )
    .action((options: Options) => logs(command, options));
}

function lineCount(text: string): number {
  if (text === "all") return Number.POSITIVE_INFINITY;
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It must be a number of lines, or all.");
  return Number(text);
}

async function logs(command: Verb, { follow, tail }: Options): Promise<void> {
  const path = serverLogPath(ownServer(command, "server logs").stateDir);
  const { json } = reporterOf(command);
  const show = async (lines: readonly string[]) => {
    if (lines.length > 0) await print(`${(json ? lines : lines.map(logLineText)).join("\n")}\n`);
  };
  using interrupts = listenForInterrupts();
  const { signal } = interrupts;
  await using log = new LogReader(path);
  try {
    // Watched before it is read, so that nothing comes in between unseen.
    using changes = follow ? watchDirectory(dirname(path), signal) : undefined;
    await show(await log.tail(tail));
    while (changes !== undefined) {
      await changes.next();
      await show(await log.more());
    }
  } catch (error) {
    signal.throwIfAborted();
    throw new CommandFailure("server logs", error);
  }
}

interface Changes extends Disposable {
  /** Resolves when something has changed since it was last asked; rejects when the signal aborts. */
  next(): Promise<void>;
}

/** The directory rather than the file: a new file may take its place. */
function watchDirectory(path: string, signal: AbortSignal): Changes {
  let changed = oneChange();
  const watcher = watch(path, () => changed.resolve());
  const abort = () => changed.reject(signal.reason);
  watcher.on("error", (error) => changed.reject(error));
  signal.addEventListener("abort", abort);
  return {
    next: async () => {
      signal.throwIfAborted();
      await changed.promise;
      changed = oneChange();
    },
    [Symbol.dispose]: () => {
      watcher.close();
      signal.removeEventListener("abort", abort);
    },
  };
}

function oneChange(): PromiseWithResolvers<void> {
  const change = Promise.withResolvers<void>();
  // It may be rejected while nobody waits for it.
  change.promise.catch(() => undefined);
  return change;
}
