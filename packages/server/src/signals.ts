import type { Logger } from "pino";

/** All that there is between the signal and the end of the process. */
const deadlineMs = 9_500;

/**
 * Stops on SIGTERM and SIGINT, and is gone in 10 s, whatever hangs. A second signal does not wait. Returns what takes the handlers
 * off again.
 */
export function stopOnSignals(stop: () => Promise<void>, logger: Logger): () => void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(1);
    stopping = true;
    logger.info({ signal }, "stopping");
    setTimeout(() => {
      logger.error({}, "did not stop in time; the next server cleans up");
      process.exit(1);
    }, deadlineMs).unref();
    stop().catch((error: unknown) => {
      logger.error({ err: error }, "did not stop cleanly");
      process.exitCode = 1;
    });
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  return () => {
    process.off("SIGTERM", onSignal).off("SIGINT", onSignal);
  };
}
