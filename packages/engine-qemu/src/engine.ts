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
  /** Of the host's disk, in MiB, for templates, in `cacheDir`; 0: every box boots. Default: 2048. */
  readonly templateCacheMb?: number | undefined;
  /** Below which each box has one of its own; see `BoxCgroups.open`. Default: none has. */
  readonly cgroup?: string | undefined;
}

/** An engine whose boxes are QEMU microVMs. VALIDATION_ERROR if `stateDir` is too long a path for the sockets in it. */
export function createQemuEngine({ bootLimitMs, templateCacheMb, cgroup, ...options }: QemuEngineOptions): Engine {
  return createAgentEngine(new QemuProvider({ ...options, bootLimitMs, templateCacheMb, cgroup }), options.logger);
}
