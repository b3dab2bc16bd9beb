import type { Exec } from "@boxrun/contract";
import { ClientError, logBytes } from "boxrun-sdk";
import { CommandFailure } from "../failure.ts";
import { cancelExec, exitCodeOf, hasEnded } from "../follow-exec.ts";
import { MissingOutput } from "../missing-output.ts";
import { BrokenPipe } from "../output/streams.ts";
import { tellProgramFailure } from "../program-failure.ts";
import type { Session } from "../session.ts";
import type { StartedExec } from "../started-exec.ts";
import type { HostTerminal } from "./host-terminal.ts";
import { type BoxTerminal, joinTerminals, type TerminalEnd } from "./join.ts";

interface FollowOptions {
  /** Names the exec in messages. */
  readonly what: string;
  /** The command before the program: `boxrun exec dev`. */
  readonly typedAs: string;
  /** What people call the box. */
  readonly box: string;
  /** Pass keys on. */
  readonly interactive: boolean;
  readonly host: HostTerminal;
}

/**
 * Joins a program that was started with `tty` with this terminal, and puts the terminal back. After the detach keys, or a lost
 * connection, the program runs on; another way to end this process (Ctrl-C without raw mode, SIGTERM, SIGHUP, a closed pipe) cancels it.
 */
export async function followInTerminal(
  session: Session,
  started: StartedExec,
  options: FollowOptions,
): Promise<TerminalEnd> {
  const { client, reporter, signal } = session;
  const { what, typedAs, box, interactive, host } = options;
  const { exec, events, over } = started;
  let problem: string | undefined;
  const missing = new MissingOutput();
  const exit = Promise.withResolvers<{ readonly code: number }>();
  async function* output(): AsyncGenerator<Uint8Array> {
    for await (const event of events) {
      missing.see(event);
      if (event.event === "log") yield logBytes(event);
      else {
        problem = event.error;
        exit.resolve({ code: exitCodeOf(event, missing) });
      }
    }
  }
  const terminal: BoxTerminal = {
    output: output(),
    exit: exit.promise,
    resize: (size) => client.execs.resize(exec.box_id, exec.id, size, { signal: over.signal }),
    send: interactive ? (keys) => sendKeys(client, exec, keys, over.signal) : undefined,
  };
  const noteThatItRuns = (how: string) =>
    reporter.note(`${how}; the program runs on: \`boxrun logs -f ${box} ${exec.id}\``, { exec_id: exec.id });
  try {
    const end = await joinTerminals(terminal, host, signal);
    host[Symbol.dispose]();
    if (problem !== undefined) {
      const exitCode = end.kind === "exited" ? end.code : null;
      tellProgramFailure(reporter, { exec, exitCode, message: problem, what, typedAs });
    }
    if (missing.failure !== undefined) reporter.failure(new CommandFailure(what, missing.failure));
    if (end.kind === "detached") noteThatItRuns("Detached");
    return end;
  } catch (error) {
    host[Symbol.dispose]();
    if (signal.aborted || error instanceof BrokenPipe) await cancelExec(client, exec);
    else if (error instanceof ClientError) noteThatItRuns("The connection is lost");
    throw error;
  } finally {
    over.abort();
  }
}

async function sendKeys(
  client: Session["client"],
  exec: Exec,
  keys: AsyncIterable<Uint8Array>,
  over: AbortSignal,
): Promise<void> {
  try {
    await client.execs.stdin(exec.box_id, exec.id, keys, { signal: over });
  } catch (error) {
    if (!over.aborted && !hasEnded(error)) throw error;
  }
}
