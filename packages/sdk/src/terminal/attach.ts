import type { AttachInput, TerminalSize } from "@boxrun/contract";
import { urls } from "@boxrun/contract/plain";
import type { CallOptions, Http } from "../http.ts";
import { openWebSocket } from "../websocket.ts";
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

export async function attach(http: Http, box: string, options: AttachOptions): Promise<Terminal> {
  const { size, signal, ...rest } = options;
  const input: AttachInput = { ...rest, cols: size.cols, rows: size.rows };
  const request = { path: urls.attach(box, input), what: `attach to ${box} at ${http.address}`, signal };
  const terminals = await import("./terminal.ts");
  return await openWebSocket(http, request, async (contract, openSocket) => {
    const terminal = await terminals.Terminal.open(http.address, contract, openSocket);
    const leave = () => void terminal.detach();
    signal?.addEventListener("abort", leave, { once: true });
    const forget = () => signal?.removeEventListener("abort", leave);
    terminal.exit.then(forget, forget);
    if (signal?.aborted) leave();
    return terminal;
  });
}
