import type { Logger } from "pino";

/** All that there is between the signal and the end of the process: nothing but requests and the store has to be waited for. */
const leavingMs = 9_500;
/** The same of a server that stops its boxes first: each gets the time that a polite stop may take, all at once, with some to spare on a busy host. */
const stoppingBoxesMs = 60_000;

/**
 * Stops on SIGTERM and SIGINT, and is gone in 10 s, or in a minute where it stops its boxes, whatever hangs. A second signal does not wait. Returns what
 * takes the handlers off again.
 */
export function stopOnSignals(
  stop: () => Promise<void>,
  { logger, stopsBoxes }: { readonly logger: Logger; readonly stopsBoxes: boolean },
): () => void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(1);
    stopping = true;
    logger.info({ signal }, "stopping");
    setTimeout(
      () => {
        logger.error({}, "did not stop in time; the next server cleans up");
        process.exit(1);
      },
      stopsBoxes ? stoppingBoxesMs : leavingMs,
    ).unref();
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
