import { client } from "../../api/client.ts";
import { failureOf, isLostConnection } from "../../api/failure.ts";
import { backoffMs, pause } from "../../util/backoff.ts";
import type { Screen } from "./screen.ts";

export type AttachmentState =
  | { readonly state: "connecting" }
  | { readonly state: "attached" }
  | { readonly state: "lost"; readonly why: string }
  | { readonly state: "over"; readonly why: string; readonly hint?: string | undefined };

interface Attachment {
  readonly boxId: string;
  readonly session: string;
  readonly screen: Screen;
  readonly signal: AbortSignal;
  readonly onState: (state: AttachmentState) => void;
  /** The way to what is attached just now: for what is typed and how large the screen is. */
  readonly onTerminal: (terminal: Awaited<ReturnType<typeof client.attach>> | undefined) => void;
}

/**
 * Shows a session of a box on the screen until its shell ends or the signal aborts, and comes back to it when the connection is lost: the session goes on
 * meanwhile, and the server draws its screen anew.
 */
export async function keepAttached({ boxId, session, screen, signal, onState, onTerminal }: Attachment): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const terminal = await client.attach(boxId, { session, share: true, size: screen.size, signal });
      onTerminal(terminal);
      onState({ state: "attached" });
      if (failures > 0) screen.terminal.reset();
      failures = 0;
      for await (const bytes of terminal.output) {
        // Waits for the screen: what comes faster than it can draw stays with the server.
        await new Promise<void>((resolve) => screen.terminal.write(bytes, resolve));
      }
      const { code } = await terminal.exit;
      onState({ state: "over", why: `The shell has ended with code ${code}.` });
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!isLostConnection(error)) {
        const { message, hint } = failureOf(error);
        onState({ state: "over", why: message, hint });
        return;
      }
      onState({ state: "lost", why: failureOf(error).message });
      await pause(backoffMs(failures), signal);
      failures += 1;
    } finally {
      onTerminal(undefined);
    }
  }
}
