import { setImmediate as nextTurn } from "node:timers/promises";
import type { OutputEvent } from "../../../src/index.ts";
import type { ServerLife } from "./server.ts";

/** A client that follows an exec to its end, from one life of the server to the next, and never asks for an event again that it has. */
export class Reader {
  readonly execId: string;
  readonly events: OutputEvent[] = [];

  constructor(execId: string) {
    this.execId = execId;
  }

  get hasEnded(): boolean {
    return this.events.at(-1)?.kind === "exit";
  }

  async follow({ core, leaving }: ServerLife): Promise<void> {
    while (!this.hasEnded && !leaving.aborted) {
      const after = this.events.at(-1)?.seq ?? 0;
      try {
        for await (const events of core.execs.events(this.execId, { after, signal: leaving })) {
          if (!leaving.aborted) this.events.push(...events);
        }
      } catch {
        // The store could not be read: a client comes again.
      }
      await nextTurn();
    }
  }
}
