import { type ExecEvent, logBytes } from "boxrun-sdk";
import { linesOf } from "./log-printer.ts";

type LogEvent = Extract<ExecEvent, { event: "log" }>;

interface Tail {
  readonly pieces: readonly ExecEvent[];
  /** Where to go on. */
  readonly lastSeq: number;
  /** The exec's exit was among the events. */
  readonly ended: boolean;
}

/** The last lines of both streams together, or the last events, without keeping more of them than twice as many. */
export async function tailOf(events: AsyncIterable<ExecEvent>, count: number, unit: "lines" | "events"): Promise<Tail> {
  const kept = new LastOnes<LogEvent[]>(count);
  const open: Partial<Record<LogEvent["stream"], LogEvent[]>> = {};
  let lastSeq = 0;
  let exit: ExecEvent | undefined;
  for await (const event of events) {
    lastSeq = event.seq;
    if (event.event === "exit") exit = event;
    // What stands for output that is missing is no line of it.
    else if (unit === "events" || event.truncated) kept.add([event]);
    else {
      for (const piece of linePieces(event)) {
        let line = open[event.stream];
        if (line === undefined) {
          line = [];
          kept.add(line);
        }
        line.push(piece.event);
        if (piece.isLast) delete open[event.stream];
        else open[event.stream] = line;
      }
    }
  }
  return { pieces: [...kept.all().flat(), ...(exit === undefined ? [] : [exit])], lastSeq, ended: exit !== undefined };
}

/** A line that is cut in two by the end of an event is complete with a piece of the next. */
function* linePieces(event: LogEvent): Generator<{ readonly event: LogEvent; readonly isLast: boolean }> {
  const { encoding: _, ...rest } = event;
  for (const line of linesOf(logBytes(event))) {
    const data = Buffer.from(line).toString("base64");
    yield { event: { ...rest, data, encoding: "base64" }, isLast: line.at(-1) === 0x0a };
  }
}

class LastOnes<Item> {
  readonly #count: number;
  #items: Item[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  add(item: Item): void {
    this.#items.push(item);
    if (this.#items.length > this.#count * 2 + 100) this.#items = this.all();
  }

  all(): Item[] {
    return this.#count === 0 ? [] : this.#items.slice(-this.#count);
  }
}
