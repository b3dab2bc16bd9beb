import type { BoxRunClient } from "boxrun-sdk";
import type { Command } from "commander";
import { connect } from "./connect.ts";
import { CliError, CommandFailure, ReportedFailure } from "./failure.ts";
import { Interrupted, listenForInterrupts } from "./interrupts.ts";
import { BrokenPipe } from "./output/streams.ts";
import { Reporter } from "./reporter.ts";
import { resolveTarget, type Target } from "./target.ts";

/** What a command works with. */
export interface Session {
  readonly client: BoxRunClient;
  readonly reporter: Reporter;
  /** Where the server is. */
  readonly target: Target;
  /** Aborted by Ctrl-C and its like. */
  readonly signal: AbortSignal;
  /** Starts this user's own server again if it has died. */
  readonly bringBack: () => Promise<void>;
}

/** Those that every verb has. */
interface GlobalOptions {
  readonly json?: boolean;
  readonly host?: string;
  readonly context?: string;
}

export function reporterOf(command: Command): Reporter {
  return new Reporter(command.optsWithGlobals<GlobalOptions>().json ?? false);
}

/** Which server the command's line, the environment and the contexts name. */
export function targetOf(command: Command, env: NodeJS.ProcessEnv = process.env): Target {
  return resolveTarget(command.optsWithGlobals<GlobalOptions>(), env);
}

/** Runs `work` with a client of the server; `what` names the operation in the message of whatever fails. */
export async function withServer(
  command: Command,
  what: string,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const reporter = reporterOf(command);
  using interrupts = listenForInterrupts(() =>
    reporter.note(
      "The server has not answered in time. What it was asked to end may still run: `boxrun ls` and `boxrun ps` show it",
      { interrupted: true },
    ),
  );
  const { signal } = interrupts;
  const env = process.env;
  const target = targetOf(command, env);
  const connection = await connect(target, { reporter, signal, env });
  await using _ = connection.client;
  try {
    await work({ ...connection, target, reporter, signal });
  } catch (error) {
    const isOwn =
      [Interrupted, BrokenPipe, CommandFailure, ReportedFailure].some((own) => error instanceof own) ||
      (error instanceof CliError && error.code === "USAGE");
    throw isOwn ? error : new CommandFailure(what, error);
  }
}

/** Does the same to several things at once. One's failure stops no other; all are told, behind the results, which `printResults` may print in a way of its own. */
export async function forEachNamed<Result>(
  session: Session,
  verb: string,
  names: readonly string[],
  work: (name: string) => Promise<Result>,
  text: (result: Result, name: string) => string,
  printResults?: (results: readonly Result[]) => Promise<void>,
): Promise<void> {
  const ends = await Promise.allSettled(names.map(work));
  session.signal.throwIfAborted();
  const results: { readonly name: string; readonly result: Result }[] = [];
  const failures: CommandFailure[] = [];
  for (const [index, end] of ends.entries()) {
    const name = names[index] ?? "";
    if (end.status === "fulfilled") results.push({ name, result: end.value });
    else failures.push(new CommandFailure(`${verb} ${name}`, end.reason));
  }
  const values = results.map(({ result }) => result);
  if (printResults !== undefined) await printResults(values);
  else await session.reporter.result(values, () => results.map(({ name, result }) => text(result, name)).join(""));
  for (const failure of failures) session.reporter.failure(failure);
  if (failures.length > 0) throw new ReportedFailure(`${failures.length} of ${names.length} failed`);
}
