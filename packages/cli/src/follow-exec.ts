import type { Exec } from "@boxrun/contract";
import { BoxRunError } from "@boxrun/contract/plain";
import { type BoxRunClient, type ExecEvent, logBytes } from "boxrun-sdk";
import { exitCodes } from "./exit-codes.ts";
import { CommandFailure } from "./failure.ts";
import { MissingOutput } from "./missing-output.ts";
import { BrokenPipe, write } from "./output/streams.ts";
import { jsonText } from "./output/text.ts";
import { tellProgramFailure } from "./program-failure.ts";
import type { Session } from "./session.ts";
import type { StartedExec } from "./started-exec.ts";

interface FollowOptions {
  /** Names the exec in messages. */
  readonly what: string;
  /** The command before the program: `boxrun exec dev`. */
  readonly typedAs: string;
  /** Pass our standard input on. */
  readonly interactive: boolean;
}

/**
 * Passes a program's output on, byte for byte and no faster than it is read, and resolves with the exit code for this process: the
 * program's own, or 130 after Ctrl-C, which cancels it; not 0 if output is missing. A BrokenPipe cancels it too.
 */
export async function followExec(session: Session, started: StartedExec, options: FollowOptions): Promise<number> {
  const { client, reporter, signal } = session;
  const { exec, events } = started;
  let canceling: Promise<void> | undefined;
  const cancel = () => {
    canceling ??= cancelExec(client, exec);
    return canceling;
  };
  const onInterrupt = () => void cancel().catch(() => undefined);
  signal.addEventListener("abort", onInterrupt);
  if (signal.aborted) onInterrupt();
  const ended = new AbortController();
  const input = options.interactive ? sendInput(client, exec, ended.signal) : undefined;
  // A failure to pass input on leaves the program waiting for it.
  input?.catch(() => void cancel().catch(() => undefined));
  const missing = new MissingOutput();
  const tell = ({ error, exit_code: exitCode }: ExitEvent) => {
    if (error !== undefined && !reporter.json)
      tellProgramFailure(reporter, { ...options, exec, exitCode, message: error });
  };
  try {
    const exit = await passOutput(events, reporter.json, missing);
    ended.abort();
    await input;
    if (signal.aborted) {
      await canceling;
      // Without a code its box has not said that it ended.
      if (exit.exit_code === null) tell(exit);
      signal.throwIfAborted();
    }
    tell(exit);
    if (missing.failure !== undefined) reporter.failure(new CommandFailure(options.what, missing.failure));
    return exitCodeOf(exit, missing);
  } catch (error) {
    // Whoever read it is gone, and so may be the server: this process goes in any case.
    if (error instanceof BrokenPipe) await cancel().catch(() => undefined);
    throw error;
  } finally {
    ended.abort();
    signal.removeEventListener("abort", onInterrupt);
  }
}

type ExitEvent = Extract<ExecEvent, { event: "exit" }>;

/** With `json`, one event a line. */
async function passOutput(events: AsyncIterable<ExecEvent>, json: boolean, missing: MissingOutput): Promise<ExitEvent> {
  for await (const event of events) {
    missing.see(event);
    if (json) await write(process.stdout, `${jsonText(event)}\n`);
    else if (event.event === "log") await passLog(event);
    if (event.event === "exit") return event;
  }
  throw new Error("the events of an exec end with its exit");
}

/** The program's own, if that tells of a failure or all of its output was passed on. */
export function exitCodeOf({ exit_code }: Pick<ExitEvent, "exit_code">, missing: MissingOutput): number {
  return exit_code === 0 && missing.failure !== undefined ? exitCodes.failure : (exit_code ?? exitCodes.failure);
}

async function passLog(event: Extract<ExecEvent, { event: "log" }>): Promise<void> {
  await write(event.stream === "stdout" ? process.stdout : process.stderr, logBytes(event));
}

async function sendInput(client: BoxRunClient, exec: Exec, ended: AbortSignal): Promise<void> {
  try {
    await client.execs.stdin(exec.box_id, exec.id, process.stdin, { eof: true, signal: ended });
  } catch (error) {
    // A program may end, or close its standard input, before it has read all there is.
    if (!ended.aborted && !hasEnded(error)) throw error;
  } finally {
    // Else a terminal or pipe that nobody writes to keeps this process.
    process.stdin.destroy();
  }
}

/** More than a server waits for a box. */
const cancelLimitMs = 20_000;

/** Resolves when the program is gone, also if it was before; rejects if the server does not say so in time. */
export async function cancelExec(client: BoxRunClient, exec: Exec): Promise<void> {
  try {
    await client.execs.cancel(exec.box_id, exec.id, { signal: AbortSignal.timeout(cancelLimitMs) });
  } catch (error) {
    if (!hasEnded(error)) throw error;
  }
}

/** Whether a call was refused because the program, or its box, is no more. */
export function hasEnded(error: unknown): boolean {
  return (
    error instanceof BoxRunError && ["EXEC_ALREADY_FINISHED", "EXEC_NOT_FOUND", "BOX_NOT_FOUND"].includes(error.code)
  );
}
