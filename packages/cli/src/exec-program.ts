import { CliError } from "./failure.ts";
import { followExec } from "./follow-exec.ts";
import { execInput, type ProgramOptions } from "./options.ts";
import type { Session } from "./session.ts";
import { startProgram } from "./started-exec.ts";
import type { TerminalEnd } from "./terminal/join.ts";

interface ProgramRun {
  /** Name or id. */
  readonly box: string;
  /** Names the operation in messages. */
  readonly what: string;
  /** The command before the program: `boxrun exec dev`. */
  readonly typedAs: string;
  readonly program: string[];
  readonly options: ProgramOptions;
}

/** USAGE for a terminal that was asked for and can't be had. Asked before anything is done that would have to be undone. */
export function requireTerminalFor(options: ProgramOptions, session: Session): void {
  if (!options.tty) return;
  if (session.reporter.json) throw new CliError("USAGE", "-t and --json: a terminal's output can't be told as JSON");
  requireTerminal("-t", "To pipe into a program use -i without -t.");
}

/** USAGE where standard input is no terminal; `option` says what asked for one. */
export function requireTerminal(option: string, hint: string): void {
  if (!process.stdin.isTTY) throw new CliError("USAGE", `${option} needs a terminal, and standard input is none`, hint);
}

/** Runs a program in a box, in this terminal with `-t`, and passes on what it says, until it ends or the user detaches from it. */
export async function execProgram(
  session: Session,
  { box, what, typedAs, program, options }: ProgramRun,
): Promise<TerminalEnd> {
  const { client } = session;
  const input = execInput(program, options);
  const interactive = options.interactive ?? false;
  if (!options.tty) {
    const started = await startProgram(client, box, input);
    return { kind: "exited", code: await followExec(session, started, { what, typedAs, interactive }) };
  }
  const [{ HostTerminal, terminalSize }, { followInTerminal }, { terminalVariables }] = await Promise.all([
    import("./terminal/host-terminal.ts"),
    import("./terminal/follow-exec.ts"),
    import("./terminal/environment.ts"),
  ]);
  const env = { ...terminalVariables(), ...input.env };
  const started = await startProgram(client, box, { ...input, env, tty: terminalSize() });
  using host = new HostTerminal({ raw: interactive });
  return await followInTerminal(session, started, { box, what, typedAs, interactive, host });
}
