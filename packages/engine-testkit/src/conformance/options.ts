import type { Engine, EngineCapability, EngineImage } from "@boxrun/core";

/** What an engine's test file tells the conformance suite about it, and what the suite may do to its host. */
export interface ConformanceOptions {
  /** For the report. */
  readonly name: string;
  /** Another engine instance over the same state, as a restarted server would make it. The suite closes each before the next. */
  readonly makeEngine: () => Promise<Engine>;
  /** An image with busybox's commands in it: `base`. */
  readonly image: EngineImage;
  /** Whether commands run on a real Linux kernel. What needs one is skipped, and counted as skipped, where there is none. */
  readonly realLinux: boolean;
  /** What the engine claims. The suite checks that `describe()` says the same, and skips what is missing, with that reason. */
  readonly capabilities: readonly EngineCapability[];
  /** Ends a box's VM behind the engine's back. Resolves once its process is gone: until then it is not known to be dead. */
  readonly killVm: (boxId: string) => Promise<void>;
  /** Freezes a box's VM, so that it answers nothing, and lets it go on. */
  readonly freezeVm: (boxId: string) => Promise<void>;
  readonly thawVm: (boxId: string) => Promise<void>;
  /** Everything that the host still has of a box: processes, sockets, files. Empty when it was removed properly. */
  readonly hostResidue: (boxId: string) => Promise<readonly string[]>;
  /** A network that a box may reach, or why this host can't offer one. */
  readonly network: NetworkHooks | { readonly unavailable: string };
  /** Default: 1 CPU, 256 MB, 4 GB. */
  readonly box?: { readonly cpu: number; readonly memoryMb: number; readonly diskSizeGb: number };
  /** Size of the large file. Default 1 GiB; an engine that is too slow for that may lower it, and the report says so. */
  readonly largeFileBytes?: number;
  /** Deadline of one behaviour without a large transfer, boots included. Default 120 s. */
  readonly timeoutMs?: number;
}

export interface NetworkHooks {
  readonly start: () => Promise<NetworkFixture>;
}

export interface NetworkFixture extends AsyncDisposable {
  /** An http URL that a box with a network must reach, and the text that it answers. */
  readonly reachable: { readonly url: string; readonly text: string };
  /** http URLs that answer on the host but that no box may reach, with the reason: loopback, link-local. */
  readonly forbidden: readonly { readonly url: string; readonly what: string }[];
}

export const conformanceDefaults = {
  box: { cpu: 1, memoryMb: 256, diskSizeGb: 4 },
  largeFileBytes: 1024 * 1024 * 1024,
  timeoutMs: 120_000,
} as const;
