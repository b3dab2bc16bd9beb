import type { ExecEvent } from "boxrun-sdk";
import { CliError } from "./failure.ts";

/** Whether all of a program's output came by, and what is missing. */
export class MissingOutput {
  #bytes: number | undefined;

  see(event: ExecEvent): void {
    // An older server does not say how much it dropped.
    if (event.event === "log" && event.truncated) this.#bytes = (this.#bytes ?? 0) + (event.skipped_bytes ?? 0);
  }

  /** OUTPUT_INCOMPLETE; `undefined` if everything came. */
  get failure(): CliError | undefined {
    if (this.#bytes === undefined) return undefined;
    const howMuch = this.#bytes === 0 ? "A part" : `${this.#bytes} bytes`;
    return new CliError(
      "OUTPUT_INCOMPLETE",
      `${howMuch} of the program's output are missing: the server did not keep them`,
      "It keeps BOXRUN_OUTPUT_LIMIT_MB of each program's output. Whoever follows a program from its start, and reads, gets all.",
    );
  }
}
