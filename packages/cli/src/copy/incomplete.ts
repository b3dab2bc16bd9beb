import { CliError } from "../failure.ts";
import type { Reporter } from "../reporter.ts";

/** What of a copy could not be read: told at once, and the copy goes on; the command fails for it in the end. */
export class Incomplete {
  readonly #reporter: Reporter;
  #count = 0;

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** `path`: for people. */
  readonly add = (path: string, reason: string): void => {
    this.#count += 1;
    this.#reporter.note(`Not copied whole: ${path}: ${reason}`, { path, reason });
  };

  throwIfAny(): void {
    if (this.#count === 0) return;
    const what = this.#count === 1 ? "1 file or directory" : `${this.#count} files or directories`;
    throw new CliError("INCOMPLETE", `${what} could not be read; everything else was copied`);
  }
}
