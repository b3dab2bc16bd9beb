import type { StatsOverview, StatsOverviewEvent } from "boxrun-sdk";

/** What a box used at the last step, and at those before it: the small lines of the list. */
export interface BoxUse {
  readonly cpuPercent: number | null;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly cpuLine: readonly (number | null)[];
  readonly memoryLine: readonly (number | null)[];
}

/** How many steps of 10 s a line has: 5 minutes. */
export const linePoints = 30;

/** What all running boxes use, as the server tells it: of each that something has changed of, and that the rest goes on as it was. */
export class UsageLines {
  readonly #uses = new Map<string, BoxUse>();
  readonly #listeners = new Map<string, Set<() => void>>();
  /** Told of since the last step. */
  readonly #told = new Set<string>();
  #isFirst = true;

  of(boxId: string): BoxUse | undefined {
    return this.#uses.get(boxId);
  }

  subscribe(boxId: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(boxId) ?? new Set();
    this.#listeners.set(boxId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(boxId);
    };
  }

  /** The server begins anew: what it does not name at first does not run. */
  begin(): void {
    this.#told.clear();
    this.#isFirst = true;
  }

  apply({ event, data }: StatsOverviewEvent): void {
    if (event === "stats") for (const one of data) this.#tell(one);
    else this.#step();
  }

  #tell(now: StatsOverview): void {
    const id = now.box_id;
    const before = this.#uses.get(id);
    const cpuPercent = now.cpu_percent ?? now.host_cpu_percent;
    const memoryBytes = now.memory_bytes ?? now.host_memory_bytes;
    const { recent } = now;
    this.#set(id, {
      cpuPercent,
      memoryBytes,
      memoryLimitBytes: now.memory_limit_bytes,
      cpuLine: recent?.cpu_percent ?? longer(before?.cpuLine, cpuPercent),
      memoryLine: recent?.memory_bytes ?? longer(before?.memoryLine, memoryBytes),
    });
    this.#told.add(id);
  }

  #step(): void {
    for (const [id, use] of this.#uses) {
      if (this.#told.has(id)) continue;
      if (this.#isFirst) this.#set(id, undefined);
      else if (!isFlat(use.cpuLine) || !isFlat(use.memoryLine)) {
        this.#set(id, {
          ...use,
          cpuLine: longer(use.cpuLine, use.cpuPercent),
          memoryLine: longer(use.memoryLine, use.memoryBytes),
        });
      }
    }
    this.#told.clear();
    this.#isFirst = false;
  }

  #set(id: string, use: BoxUse | undefined): void {
    if (use === undefined) this.#uses.delete(id);
    else this.#uses.set(id, use);
    for (const listener of this.#listeners.get(id) ?? []) listener();
  }
}

function longer(line: readonly (number | null)[] = [], value: number | null): readonly (number | null)[] {
  return [...line, value].slice(-linePoints);
}

/** One more of the same would not be seen. */
function isFlat(line: readonly (number | null)[]): boolean {
  return line.length === linePoints && line.every((value) => value === line[0]);
}
