import { exitCodes } from "./exit-codes.ts";
import { failureJson, failureText } from "./failure.ts";

/**
 * For an error that nobody was there to catch, which is a mistake of ours: told like any other, without a stack, and the end of the process.
 * `serve` has no use for it: a server's stack belongs in its log.
 */
export function tellUncaughtErrors(wantsJson: boolean): Disposable {
  const listener = (error: unknown) => {
    process.stderr.write(wantsJson ? failureJson(error) : failureText(error));
    process.exit(exitCodes.failure);
  };
  process.on("uncaughtException", listener);
  return { [Symbol.dispose]: () => process.off("uncaughtException", listener) };
}
