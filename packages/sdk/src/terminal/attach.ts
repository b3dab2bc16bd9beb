import type { AttachInput, TerminalSize } from "@boxrun/contract";
import { BoxRunError, urls } from "@boxrun/contract/plain";
import { ClientError, reasonOf, serverError } from "../errors.ts";
import type { CallOptions, Http } from "../http.ts";
import { loadContract, readErrorBody } from "../shape.ts";
import type { Terminal } from "./terminal.ts";

export interface AttachOptions extends CallOptions {
  /** Default: /bin/bash, and /bin/sh where the image has none. */
  readonly shell?: string | undefined;
  /** The session to attach to; it is started if it isn't there. Without it the shell ends with the terminal. */
  readonly session?: string | undefined;
  /** Joins the clients of the session, instead of taking over from them. */
  readonly share?: boolean | undefined;
  readonly size: TerminalSize;
  /** TERM in the box. Default: xterm-256color. */
  readonly term?: string | undefined;
}

/** The status of a request that would have been taken as a WebSocket. */
const upgradeRequired = 426;

export async function attach(http: Http, box: string, options: AttachOptions): Promise<Terminal> {
  const { size, signal, ...rest } = options;
  const input: AttachInput = { ...rest, cols: size.cols, rows: size.rows };
  const path = urls.attach(box, input);
  const what = `attach to ${box} at ${http.address}`;
  const [{ openTerminalSocket }, terminals, contract] = await Promise.all([
    import("#terminal-socket"),
    import("./terminal.ts"),
    loadContract(),
  ]);
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
    const terminal = await terminals.Terminal.open(http.address, contract, (events) =>
      openTerminalSocket({ ...http.target(path), signal, events, refusal, askWhy }),
    );
    const leave = () => void terminal.detach();
    signal?.addEventListener("abort", leave, { once: true });
    const forget = () => signal?.removeEventListener("abort", leave);
    terminal.exit.then(forget, forget);
    if (signal?.aborted) leave();
    return terminal;
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
