import { BoxRunError } from "@boxrun/contract";

export function removedInBetween(boxId: string): BoxRunError {
  return new BoxRunError("CANCELED", `Box ${boxId} was removed in the meantime`);
}

/** What an aborted operation is called: by whoever aborted it, if they said. */
export function interrupted(signal: AbortSignal, error: unknown): BoxRunError {
  if (signal.reason instanceof BoxRunError) return signal.reason;
  return new BoxRunError("CANCELED", "The operation was given up before it was done", { cause: error });
}
