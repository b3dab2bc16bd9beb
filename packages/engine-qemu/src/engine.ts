import { createAgentEngine } from "@boxrun/agent-engine";
import type { Engine, Logger } from "@boxrun/core";
import { QemuProvider } from "./provider.ts";

export interface QemuEngineOptions {
  /** Boxes and their disks: `vm/` and `disks/` below it are this engine's. One engine at a time may use it. */
  readonly stateDir: string;
  /** Where `buildGuest` has put the kernel; the verdict about KVM is kept here too. */
  readonly cacheDir: string;
  readonly logger: Logger;
  /** How long the first attempt to boot may take. Default: 10 s with KVM, 30 s without. */
  readonly bootLimitMs?: number;
}

/** An engine whose boxes are QEMU microVMs. VALIDATION_ERROR if `stateDir` is too long a path for the sockets in it. */
export function createQemuEngine({ bootLimitMs, ...options }: QemuEngineOptions): Engine {
  return createAgentEngine(new QemuProvider({ ...options, bootLimitMs }), options.logger);
}
