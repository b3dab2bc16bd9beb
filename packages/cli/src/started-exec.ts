import type { Exec, ExecInput } from "@boxrun/contract";
import type { BoxRunClient, ExecEvent } from "boxrun-sdk";

/** A program that was started just now, and what it says from its first byte on. */
export interface StartedExec {
  readonly exec: Exec;
  readonly events: AsyncIterable<ExecEvent>;
  /** Aborted by who has seen enough: it ends the events, and the program runs on. */
  readonly over: AbortController;
}

/** Not given up by Ctrl-C: the program would run on without us knowing its id to cancel it. */
export async function startProgram(client: BoxRunClient, box: string, input: ExecInput): Promise<StartedExec> {
  const over = new AbortController();
  const events = client.execs.follow(box, input, { signal: over.signal });
  const { value: first } = await events.next();
  if (first?.event !== "exec") throw new Error("the events of an exec that is started begin with it");
  return { exec: first.exec, events: behindStart(events), over };
}

async function* behindStart(events: ReturnType<BoxRunClient["execs"]["follow"]>): AsyncGenerator<ExecEvent> {
  for await (const event of events) if (event.event !== "exec") yield event;
}
