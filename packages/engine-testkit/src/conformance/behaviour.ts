import type { EngineCapability } from "@boxrun/core";
import type { Harness } from "./harness.ts";
import type { ConformanceOptions } from "./options.ts";

/** What a behaviour needs of the engine and host; where it is missing the behaviour is skipped, and the reason printed. */
export type Need = EngineCapability | "linux" | "network-fixture";

export interface Suite {
  readonly harness: Harness;
  readonly options: ConformanceOptions;
  /** States one promise of the port. `timeoutMs` on top of the suite's own. */
  readonly behaviour: (name: string, needs: readonly Need[], body: () => Promise<void>, extraMs?: number) => void;
}
