import type { Readable } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import {
  type Adoption,
  type BoxDeath,
  type BoxSpec,
  type CreateOptions,
  KeyedLock,
  type Logger,
  nothingStopped,
  type PrepareOptions,
  type StopReport,
} from "@boxrun/core";
import { bringUp } from "./bring-up.ts";
import { Prepared } from "./prepared.ts";
import type { Machine, VmProvider } from "./provider.ts";
import { Vm } from "./vm.ts";

/**
 * Every box that the provider has, and the VMs of those that run. What changes a box is done one after another for each box; removing it gives up what
 * is under way.
 */
export class Boxes {
  readonly #provider: VmProvider;
  readonly #logger: Logger;
  readonly #lock = new KeyedLock();
  readonly #vms = new Map<string, Vm>();
  readonly #prepared: Prepared;
  /** Creates and starts under way. */
  readonly #underWay = new Map<string, Set<AbortController>>();
  readonly #deathListeners = new Set<(death: BoxDeath) => void>();
  readonly #impairmentListeners = new Set<(boxId: string) => void>();
  #closed = false;

  constructor(provider: VmProvider, logger: Logger) {
    this.#provider = provider;
    this.#logger = logger;
    this.#prepared = new Prepared(provider, logger, this.#lock);
  }

  async create(spec: BoxSpec, options: CreateOptions): Promise<void> {
    await this.#abortable("create", spec.id, options.signal, async (signal) => {
      const claimed = await this.#prepared.claim(spec, { ...options, signal });
      if (claimed !== undefined) return void this.#keep(spec.id, claimed);
      const { onEngineId } = options;
      await bringUp(this.#provider, spec, { signal, onEngineId }, async () =>
        this.#keep(spec.id, await this.#provider.boot(spec, signal)),
      );
    });
  }

  async prepare(spec: BoxSpec, options: PrepareOptions): Promise<void> {
    await this.#abortable("prepare", spec.id, options.signal, (signal) =>
      this.#prepared.prepare(spec, { ...options, signal }),
    );
  }

  async start(spec: BoxSpec, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#abortable("start", spec.id, options.signal, async (signal) => {
      if ((await this.#living(spec.id)) !== undefined) return;
      await this.#boot("start", spec, signal);
    });
  }

  /**
   * The box is booted, without what is around it and with nothing running in it, and its own agent reads the disk: the host mounts no file system that a
   * guest has made.
   */
  async readDisk<T>(
    spec: BoxSpec,
    { signal }: { readonly signal: AbortSignal },
    take: (tar: Readable) => Promise<T>,
  ): Promise<T> {
    return await this.#abortable("read the disk of", spec.id, signal, async (either) => {
      if ((await this.#living(spec.id)) !== undefined) {
        throw new BoxRunError("BOX_ALREADY_RUNNING", `read the disk of box ${spec.id}: it is running`);
      }
      const vm = await this.#boot("read the disk of", { ...spec, network: false, volumes: [] }, either);
      try {
        const gone = AbortSignal.any([either, vm.gone]);
        const tar = await vm.files.readImage({ signal: gone });
        // Whoever takes it may be about something else when it breaks off.
        tar.on("error", () => undefined);
        const giveUp = () => tar.destroy(gone.reason);
        gone.addEventListener("abort", giveUp);
        try {
          return await take(tar);
        } finally {
          gone.removeEventListener("abort", giveUp);
          tar.destroy();
        }
      } finally {
        await vm.powerOff(0);
      }
    });
  }

  async stop(boxId: string, graceMs: number): Promise<StopReport> {
    return await this.#lock.run(boxId, async () => {
      const vm = this.#vms.get(boxId);
      return vm === undefined ? await this.#stopStranger(boxId, graceMs) : await vm.powerOff(graceMs);
    });
  }

  async remove(boxId: string): Promise<void> {
    for (const controller of this.#underWay.get(boxId) ?? []) {
      controller.abort(new BoxRunError("CANCELED", `box ${boxId} is being removed`));
    }
    await this.#lock.run(boxId, async () => {
      await this.#vms.get(boxId)?.kill();
      this.#prepared.drop(boxId);
      await this.#provider.destroy(boxId);
    });
  }

  async adopt(spec: BoxSpec, signal: AbortSignal): Promise<Adoption> {
    return await this.#lock.run(spec.id, async () => {
      const vm = await this.#living(spec.id);
      if (vm !== undefined) return await vm.answers(signal);
      if (!(await this.#provider.has(spec.id))) return { state: "missing" };
      const found = await this.#provider.adopt(spec, signal);
      if ("line" in found) {
        this.#keep(spec.id, found);
        return { state: "running" };
      }
      if (found.state === "dead") await this.#provider.endLeftovers(spec.id);
      return found;
    });
  }

  impairment(boxId: string): string | undefined {
    return this.#vms.get(boxId)?.impairment;
  }

  onImpairment(listener: (boxId: string) => void): () => void {
    this.#impairmentListeners.add(listener);
    return () => this.#impairmentListeners.delete(listener);
  }

  onDeath(listener: (death: BoxDeath) => void): () => void {
    this.#deathListeners.add(listener);
    return () => this.#deathListeners.delete(listener);
  }

  /** The box's VM. BOX_NOT_RUNNING if there is none. */
  running(boxId: string): Vm {
    const vm = this.#vms.get(boxId);
    if (vm !== undefined && !vm.gone.aborted) return vm;
    throw new BoxRunError("BOX_NOT_RUNNING", `box ${boxId} is not running`);
  }

  /** Gives up what is under way, and lets every VM go. */
  async close(): Promise<void> {
    this.#closed = true;
    const boxIds = [...this.#underWay.keys()];
    for (const controller of [...this.#underWay.values()].flatMap((set) => [...set])) {
      controller.abort(new BoxRunError("CANCELED", "the engine is closing"));
    }
    await Promise.all(boxIds.map((boxId) => this.#lock.run(boxId, async () => undefined)));
    for (const vm of this.#vms.values()) vm.letGo();
    this.#vms.clear();
    this.#prepared.letGo();
    await this.#provider.close?.();
  }

  /** One that is ending has ended when this resolves. */
  async #living(boxId: string): Promise<Vm | undefined> {
    const vm = this.#vms.get(boxId);
    if (vm !== undefined && !vm.gone.aborted) return vm;
    await vm?.ended;
    return undefined;
  }

  /** Boots a box that has no VM. */
  async #boot(operation: string, spec: BoxSpec, signal: AbortSignal): Promise<Vm> {
    if (!(await this.#provider.has(spec.id))) {
      throw new BoxRunError(
        "RUNTIME_ERROR",
        `${operation} box ${spec.id}: it has no disk in ${this.#provider.place}; remove it`,
      );
    }
    await this.#provider.check(spec);
    await this.#provider.endLeftovers(spec.id);
    return this.#keep(spec.id, await this.#provider.boot(spec, signal));
  }

  /** Ends a VM that was not taken over: by its agent if that can be reached after all, and else as far as its provider can. */
  async #stopStranger(boxId: string, graceMs: number): Promise<StopReport> {
    const isThere = await this.#provider.wake(boxId);
    if (isThere) {
      const stranger = { id: boxId, volumes: [], network: false };
      const found = await this.#provider.adopt(stranger, new AbortController().signal);
      if ("line" in found) return await this.#keep(boxId, found).powerOff(graceMs);
      this.#logger.warn({ boxId, found }, "a box is stopped whose agent can't be asked to");
      // What the guest holds in memory is lost.
      await this.#provider.endUnasked(boxId);
    }
    await this.#provider.endLeftovers(boxId);
    return isThere ? { killed: [], forced: true } : nothingStopped;
  }

  #keep(boxId: string, machine: Machine): Vm {
    const vm = new Vm(machine, {
      boxId,
      onImpairment: (trouble) => {
        if (trouble === undefined) this.#logger.info({ boxId }, "everything around a box works again");
        else this.#logger.warn({ boxId, trouble }, "something around a box does not work");
        for (const listener of this.#impairmentListeners) listener(boxId);
      },
      onDeath: (reason) => {
        for (const listener of this.#deathListeners) listener({ boxId, reason });
      },
    });
    this.#vms.set(boxId, vm);
    const forget = () => {
      if (this.#vms.get(boxId) === vm) this.#vms.delete(boxId);
    };
    vm.ended.then(forget, (error: unknown) => {
      forget();
      this.#logger.error({ boxId, err: error }, "what is left of a box's VM could not be cleared away");
    });
    return vm;
  }

  /** Runs under the box's lock, ends when the caller, `remove` or `close` says so, and rejects with a BoxRunError. */
  async #abortable<T>(
    operation: string,
    boxId: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    const set = this.#underWay.get(boxId) ?? new Set();
    this.#underWay.set(boxId, set.add(controller));
    const either = AbortSignal.any([signal, controller.signal]);
    const failed = (code: "CANCELED" | "RUNTIME_ERROR", reason: string, cause: unknown) =>
      new BoxRunError(code, `${operation} box ${boxId}: ${reason}`, { cause });
    try {
      if (this.#closed) throw failed("CANCELED", "the engine is closed", undefined);
      return await this.#lock.run(boxId, async () => {
        either.throwIfAborted();
        return await work(either);
      });
    } catch (error) {
      if (isFull(error)) throw failed("RUNTIME_ERROR", `the disk that holds ${this.#provider.place} is full`, error);
      if (error instanceof BoxRunError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw failed(either.aborted ? "CANCELED" : "RUNTIME_ERROR", reason, error);
    } finally {
      set.delete(controller);
      if (set.size === 0) this.#underWay.delete(boxId);
    }
  }
}

/** Node says ENOSPC, and the programs that are run say what strerror(3) does. */
function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && error.code === "ENOSPC") || error.message.includes("No space left on device");
}
