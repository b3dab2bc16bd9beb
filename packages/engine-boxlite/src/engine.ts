import { createAgentEngine } from "@boxrun/agent-engine";
import type { Engine, Logger } from "@boxrun/core";
import { BoxLiteProvider } from "./provider.ts";

export interface BoxLiteEngineOptions {
  /** `boxlite/` below it is this engine's. One process at a time may use it. */
  readonly stateDir: string;
  /** Where `buildAgent` has put the agent. */
  readonly cacheDir: string;
  readonly logger: Logger;
}

/**
 * An engine whose boxes are BoxLite's VMs: BoxLite makes, boots and ends them, and everything else goes over the agent, as on QEMU. VALIDATION_ERROR
 * if `stateDir` is too long a path for the sockets in it. The native module is loaded when it is first needed; where it is missing, `describe` says so.
 */
export function createBoxLiteEngine(options: BoxLiteEngineOptions): Engine {
  return createAgentEngine(new BoxLiteProvider(options), options.logger);
}
