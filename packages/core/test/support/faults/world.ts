import type { MemoryHost } from "@boxrun/engine-testkit";
import type { PoolSize } from "../../../src/index.ts";
import type { Reader } from "./reader.ts";

/** What the clients of a history know. */
export interface World {
  readonly host: MemoryHost;
  readonly directory: string;
  /** What every server keeps ready. */
  readonly pool: readonly PoolSize[];
  /** How much less time than usual every server gives what it waits for. */
  readonly impatience: number;
  readonly readers: Map<string, Reader>;
  /** How many lines a `count` was to write, by exec. */
  readonly counts: Map<string, number>;
  /** What was taken of the standard input of a `cat`, by exec, and what may have been. */
  readonly inputs: Map<string, { taken: string; perhaps: string }>;
}
