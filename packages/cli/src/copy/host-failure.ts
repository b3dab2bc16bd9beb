import { CliError } from "../failure.ts";
import { printable } from "../output/text.ts";

/** What a file of this host could not be used for. `path` is what it is called, where the call itself had another name for it. */
export function hostFailure(error: unknown, path?: string): CliError {
  if (error instanceof CliError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (path === undefined) return new CliError("HOST_FILE", message);
  // Node's: `EACCES: permission denied, open '/proc/self/fd/20/x'`.
  const reason = /^([A-Z0-9]+: [^,]*), (\w+)/.exec(message);
  return new CliError(
    "HOST_FILE",
    reason === null ? `${printable(path)}: ${message}` : `${reason[1]}, ${reason[2]} '${printable(path)}'`,
  );
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
