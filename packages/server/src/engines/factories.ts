import { createQemuEngine, type QemuEngineOptions } from "@boxrun/engine-qemu";
import type { EngineFactories } from "./wire.ts";

/** The engines that there are. */
export function engineFactories(options: QemuEngineOptions): EngineFactories {
  return {
    qemu: async () => createQemuEngine(options),
    // Only a server that has boxes of it, or thinks of having some, loads it.
    boxlite: async () => (await import("@boxrun/engine-boxlite")).createBoxLiteEngine(options),
  };
}
