import type { Exec } from "@boxrun/contract";
import { CommandFailure } from "./failure.ts";
import { shellText } from "./output/shell-text.ts";
import type { Reporter } from "./reporter.ts";

/** What the shells end with for a program that is not there. */
const notFound = 127;

interface ProgramFailure {
  readonly exec: Pick<Exec, "cmd">;
  readonly exitCode: number | null;
  readonly message: string;
  /** Names the operation. */
  readonly what: string;
  /** The command before the program: `boxrun exec dev`. */
  readonly typedAs: string;
}

/** Tells why a program could not do its work; of a whole command line that was given as one word, what to type. */
export function tellProgramFailure(
  reporter: Reporter,
  { exec, exitCode, message, what, typedAs }: ProgramFailure,
): void {
  reporter.failure(new CommandFailure(what, message));
  const [program = "", ...others] = exec.cmd;
  if (reporter.json || exitCode !== notFound || others.length > 0 || !/\s/.test(program.trim())) return;
  reporter.note(
    `Hint: no shell reads the program; for a line of shell type: ${typedAs} -- ${shellText(["sh", "-c", program])}`,
    {},
  );
}
