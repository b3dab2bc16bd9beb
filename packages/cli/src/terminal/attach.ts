import { BoxRunError } from "@boxrun/contract/plain";
import { ClientError, type Terminal } from "boxrun-sdk";
import type { Session } from "../session.ts";
import { terminalName } from "./environment.ts";
import { HostTerminal, terminalSize } from "./host-terminal.ts";
import { joinTerminals, type TerminalEnd } from "./join.ts";

interface AttachOptions {
  /** Name or id, as people call it. */
  readonly box: string;
  readonly shell?: string | undefined;
  /** Of the session; without one the shell ends with the connection. */
  readonly name?: string | undefined;
  readonly share?: boolean | undefined;
}

/**
 * Attaches this terminal to a shell in a box until that exits, or the user detaches. Says how to come back, also where the connection
 * was lost, which is thrown.
 */
export async function attachTerminal(session: Session, options: AttachOptions): Promise<TerminalEnd> {
  const { client, reporter, signal } = session;
  const { box, shell, name, share } = options;
  const comeBack = name === undefined ? undefined : `\`boxrun attach ${box} --session ${name}\` comes back to it`;
  const input = { shell, session: name, share, size: terminalSize(), term: terminalName(), signal };
  await using terminal = await client.attach(box, input);
  try {
    const end = await joinInRawMode(terminal, signal);
    if (end.kind === "detached") {
      const hint = comeBack ?? "the shell has ended; with --session NAME it would run on";
      reporter.note(name === undefined ? `Detached: ${hint}` : `Detached: the shell runs on; ${hint}`, {
        session: name,
      });
    }
    return end;
  } catch (error) {
    signal.throwIfAborted();
    if (comeBack === undefined) throw error;
    if (error instanceof BoxRunError && error.code === "CANCELED") {
      reporter.note(`Detached: ${error.message}; ${comeBack}`, { session: name });
      return { kind: "detached" };
    }
    if (error instanceof ClientError) reporter.note(`The connection is lost; ${comeBack}`, { session: name });
    throw error;
  }
}

/** The terminal is back as it was when this returns. */
async function joinInRawMode(terminal: Terminal, signal: AbortSignal): Promise<TerminalEnd> {
  using host = new HostTerminal({ raw: true });
  const send = async (keys: AsyncIterable<Uint8Array>) => {
    for await (const bytes of keys) await terminal.write(bytes);
  };
  return await joinTerminals(
    { output: terminal.output, exit: terminal.exit, resize: async (size) => terminal.resize(size), send },
    host,
    signal,
  );
}
