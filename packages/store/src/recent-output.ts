import type { OutputEvent } from "@boxrun/core";

type LogEvent = Extract<OutputEvent, { kind: "log" }>;

/** Of text, in UTF-16 units: what readers that keep up are behind, of all commands together. */
const defaultMaxLength = 4 * 1024 * 1024;

/**
 * The newest output of commands that run, as it was stored: whoever follows one has it from here, and all who do have the same objects. A reader that is further behind
 * reads the file.
 */
export class RecentOutput {
  readonly #maxLength: number;
  /** By the key of an exec; whose output is oldest is first. */
  readonly #tails = new Map<number, LogEvent[]>();
  #length = 0;

  constructor(maxLength = defaultMaxLength) {
    this.#maxLength = maxLength;
  }

  /** Committed just now, behind all that were before, of which those before `keptFrom` are not there any more. */
  add(exec: number, events: readonly LogEvent[], keptFrom: number): void {
    const tail = this.#tails.get(exec) ?? [];
    this.#tails.delete(exec);
    this.#tails.set(exec, tail);
    for (const event of events) {
      tail.push(event);
      this.#length += event.data.length;
    }
    const removeFirst = (from: LogEvent[]) => {
      this.#length -= from.shift()?.data.length ?? 0;
    };
    while ((tail[0]?.seq ?? keptFrom) < keptFrom) removeFirst(tail);
    for (const [oldest, its] of this.#tails) {
      while (this.#length > this.#maxLength && its.length > 0) removeFirst(its);
      if (its.length > 0) return;
      this.#tails.delete(oldest);
    }
  }

  /** It runs no more. */
  drop(exec: number): void {
    for (const { data } of this.#tails.get(exec) ?? []) this.#length -= data.length;
    this.#tails.delete(exec);
  }

  /** What comes next behind `after`, about `maxLength` of it and one event at the least; nothing if that is not here. */
  behind(exec: number, after: number, maxLength: number): readonly OutputEvent[] {
    const tail = this.#tails.get(exec) ?? [];
    const first = tail[0]?.seq ?? 0;
    const begin = after + 1 - first;
    if (begin < 0 || tail.length === 0) return [];
    let length = 0;
    let end = begin;
    while (end < tail.length && length < maxLength) length += tail[end++]?.data.length ?? 0;
    return tail.slice(begin, end);
  }
}
