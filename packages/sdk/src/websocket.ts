import { BoxRunError } from "@boxrun/contract/plain";
import { ClientError, reasonOf, serverError } from "./errors.ts";
import type { Http } from "./http.ts";
import { type Contract, loadContract, readErrorBody } from "./shape.ts";
import type { TerminalSocket, TerminalSocketEvents } from "./terminal/socket.ts";

/** The status of a request that would have been taken as a WebSocket. */
const upgradeRequired = 426;

interface Request {
  readonly path: string;
  /** The operation, for the message of a refusal that is not BoxRun's. */
  readonly what: string;
  readonly signal: AbortSignal | undefined;
}

/** Opens a WebSocket of the server's. Rejects with what the server refused it with, a ClientError, or the signal's reason. */
export async function openWebSocket<T>(
  http: Http,
  { path, what, signal }: Request,
  open: (contract: Contract, openSocket: (events: TerminalSocketEvents) => Promise<TerminalSocket>) => Promise<T>,
): Promise<T> {
  const [{ openTerminalSocket }, contract] = await Promise.all([import("#terminal-socket"), loadContract()]);
  const askWhy = async (): Promise<Error | undefined> => {
    try {
      await http.do("GET", path, { signal });
    } catch (error) {
      if (error instanceof BoxRunError && error.status !== upgradeRequired) return error;
    }
    return undefined;
  };
  const refusal = (status: number, text: string) => serverError(status, readErrorBody(contract, text), what, text);
  try {
    return await open(contract, (events) =>
      openTerminalSocket({ ...http.target(path), signal, events, refusal, askWhy }),
    );
  } catch (error) {
    signal?.throwIfAborted();
    if ([BoxRunError, ClientError, TypeError].some((kind) => error instanceof kind)) throw error;
    throw new ClientError(
      "CONNECTION_FAILED",
      `Cannot reach the BoxRun server at ${http.address}: ${reasonOf(error)}`,
      { cause: error },
    );
  }
}
