import type { Adoption, BoxSpec, BoxUsage, EngineCapability, EngineDescription } from "@boxrun/core";
import type { AgentLine, BulkArea } from "@boxrun/guest-agent";

/** What a provider says of itself; that it prepares boxes shows. */
export interface ProviderDescription extends EngineDescription {
  readonly capabilities: readonly Exclude<EngineCapability, "prepared-boxes">[];
}

/**
 * What an engine asks of whatever makes VMs, so that one engine serves all of them (`createAgentEngine`). A provider knows how its VMs come to be,
 * are found again and end, wherever that is; what goes on in them goes over the agent and is not its business.
 *
 * The engine calls everything that names a box one after another for each box (`list`, `recall` and `describe` aside). Failures may be of any kind: they reach
 * the core as BoxRunErrors. A disk that is full is told by ENOSPC, or by its words.
 */
export interface VmProvider {
  /** The engine's name. */
  readonly name: string;
  /** Where boxes are kept, for messages: a directory, a cluster. */
  readonly place: string;

  /** See `Engine.describe`. */
  describe(): Promise<ProviderDescription>;

  /** Refuses early what can't work here: NOT_SUPPORTED, VALIDATION_ERROR or RUNTIME_ERROR. */
  check(spec: BoxSpec): Promise<void>;

  /** Makes all of a box but its VM. If it rejects, nothing of the box is left, unless there was one before. */
  make(spec: BoxSpec, options: MakeOptions): Promise<void>;

  /** Whether there is a box that could be booted. */
  has(boxId: string): Promise<boolean>;

  /**
   * Boots a box that was made and has no VM, keeps `spec.note` with it, and makes the VM into this box; resolves once it takes execs. If it rejects, or
   * `signal` aborts, the VM is gone and the disk is as it was.
   */
  boot(spec: BoxSpec, signal: AbortSignal): Promise<Machine>;

  /**
   * As `boot`, of a box that nobody has asked for yet: what its owner says (host name, working directory, note) is missing, and the VM is made this box by `claim`. If it rejects, or
   * `signal` aborts, the VM is gone. A provider that can't leaves it out.
   */
  prepare?(spec: BoxSpec, signal: AbortSignal): Promise<PreparedMachine>;

  /** See `Engine.anticipate`. */
  anticipate?(spec: BoxSpec, signal: AbortSignal): Promise<boolean>;

  /** Takes over the VM that an earlier server left running, or says what has become of it. It ends nothing. */
  adopt(spec: Pick<BoxSpec, "id" | "volumes" | "network">, signal: AbortSignal): Promise<Machine | Adoption>;

  /** Whether there is a VM of a box that nobody has taken over. One that was frozen from outside goes on. */
  wake(boxId: string): Promise<boolean>;

  /** Ends such a VM whose agent can't be asked to, with as much of its disk written as can be; it may be there still, after some seconds. */
  endUnasked(boxId: string): Promise<void>;

  /** Ends by force what is left running of a box whose VM is not known or has ended. Its disk stays. */
  endLeftovers(boxId: string): Promise<void>;

  /** `endLeftovers`, and everything of the box is gone. Idempotent: an unknown box is a success. */
  destroy(boxId: string): Promise<void>;

  /** Ids of every box that anything is there of. */
  list(): Promise<readonly string[]>;

  /** The `note` that the box was last made or booted with. */
  recall(boxId: string): Promise<string | undefined>;

  /** Drops what was made of this image. Boxes that use it keep working or make it refuse. */
  forgetImage(digest: string): Promise<void>;

  /** Gives up what it does besides, for which no box waits. */
  close?(): Promise<void>;
}

export interface MakeOptions {
  readonly signal: AbortSignal;
  /** To be called as soon as the provider's own id of the box is known. */
  readonly onEngineId: (engineId: string) => void;
}

/** A VM that is up, whether it was booted or taken over. */
export interface Machine {
  readonly line: AgentLine;
  /** The disk for transfers, where the VM has one. */
  readonly bulk?: BulkArea | undefined;
  /** Resolves when the guest has ended, for whatever reason. */
  readonly guestEnd: Promise<unknown>;

  /** Whether it was frozen from outside, and so its clock stands still. */
  isHeld(): boolean;

  /** Its end is asked for: if it was frozen, it goes on. */
  aboutToEnd(): void;

  /** What it takes of the machine that it runs on. */
  hostUsage(options: { readonly proportional: boolean }): Promise<BoxUsage["host"]>;

  /**
   * Ends the VM. `asked`: its agent has ended everything in it and is powering off; else it was not heard of. Writes its disk, and takes to force after some
   * seconds: resolves with whether that was needed.
   */
  shutDown(asked: boolean): Promise<{ readonly forced: boolean }>;

  /** Ends the VM at once. */
  kill(): void;

  /** How the guest has ended, for a person: an exit code, a signal, the last line of the console. Asked once, behind `guestEnd`. */
  lastWords(): Promise<string>;

  /** The guest has ended, or is let go: connections end that are its agent's, and nobody watches what is around it any more. */
  disconnect(): void;

  /** Behind `guestEnd`: ends and removes what is left of the VM, its disk aside. `asked`: somebody has ended it by `shutDown` or `kill`. */
  clearAway(asked: boolean): Promise<void>;

  /** Closes what connections there are besides, and leaves the VM running. */
  letGo(): void;

  /** Begins to watch what is around the VM: a network, volumes. A provider that can't know leaves it out. */
  watchSurroundings?(onChange: () => void): WatchedSurroundings;
}

/** A VM that is up and nobody's box yet. */
export interface PreparedMachine {
  /** Resolves when the guest has ended, for whatever reason. */
  readonly guestEnd: Promise<unknown>;

  /**
   * Makes it this box, which has the same image and size, and keeps `spec.note` with it; resolves once it takes execs. If it rejects, or `signal` aborts, the VM is of no use any
   * more: its box is destroyed.
   */
  claim(spec: BoxSpec, signal: AbortSignal): Promise<Machine>;

  /** Closes what connections there are, and leaves the VM running. */
  letGo(): void;
}

export interface WatchedSurroundings {
  /** What does not work though the VM does, for a person; `undefined` if all does. */
  readonly trouble: string | undefined;
}
