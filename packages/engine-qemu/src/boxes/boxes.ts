import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { BoxRunError } from "@boxrun/contract";
import {
  type Adoption,
  type BoxDeath,
  type BoxSpec,
  type CreateOptions,
  KeyedLock,
  type Logger,
  nothingStopped,
  type StopReport,
} from "@boxrun/core";
import { isAlive, isErrno, keepNote, readNote, signalProcess, waitUntilGone } from "@boxrun/host";
import { makeBoxDisk } from "../disks/box-disk.ts";
import type { ImageDisks } from "../disks/image-disks.ts";
import { adoptMachine } from "../vm/adopt.ts";
import { boxFiles } from "../vm/command-line.ts";
import { endProcesses } from "../vm/machine.ts";
import { processesOf, readVmRecord } from "../vm/record.ts";
import { helpersOf } from "../vm/surroundings.ts";
import { quitLimitMs, Vm, type VmContext } from "../vm/vm.ts";
import type { BoxBooter } from "./booter.ts";
import type { BoxLayout } from "./layout.ts";

/**
 * Every box that has a directory here, and the VMs of those that run. What changes a box is done one after another for each box;
 * removing it gives up what is under way.
 */
export class Boxes {
  readonly #layout: BoxLayout;
  readonly #images: ImageDisks;
  readonly #booter: BoxBooter;
  readonly #logger: Logger;
  readonly #lock = new KeyedLock();
  readonly #vms = new Map<string, Vm>();
  /** Creates and starts under way. */
  readonly #underWay = new Map<string, Set<AbortController>>();
  readonly #deathListeners = new Set<(death: BoxDeath) => void>();
  readonly #impairmentListeners = new Set<(boxId: string) => void>();
  #closed = false;

  constructor(options: { layout: BoxLayout; images: ImageDisks; booter: BoxBooter; logger: Logger }) {
    this.#layout = options.layout;
    this.#images = options.images;
    this.#booter = options.booter;
    this.#logger = options.logger;
  }

  async create(spec: BoxSpec, options: CreateOptions): Promise<void> {
    const boxDir = this.#layout.dir(spec.id);
    await this.#abortable("create", spec.id, options.signal, async (signal) => {
      await this.#booter.check(spec);
      await mkdir(this.#layout.root, { recursive: true, mode: 0o700 });
      await this.#makeDir(spec.id, boxDir);
      try {
        await keepNote(boxDir, spec.note);
        options.onEngineId(spec.id);
        await allOrNone(signal, [
          (either) => this.#images.linkTo(join(boxDir, boxFiles.image), spec.image, either),
          (either) => makeBoxDisk(join(boxDir, boxFiles.disk), spec.diskSizeGb, either),
        ]);
        await this.#boot(spec, boxDir, signal);
      } catch (error) {
        await endProcesses(boxDir, []);
        await rm(boxDir, { recursive: true, force: true });
        throw error;
      }
    });
  }

  async start(spec: BoxSpec, options: { readonly signal: AbortSignal }): Promise<void> {
    const boxDir = this.#layout.dir(spec.id);
    await this.#abortable("start", spec.id, options.signal, async (signal) => {
      const vm = this.#vms.get(spec.id);
      if (vm !== undefined && !vm.gone.aborted) return;
      await vm?.ended;
      if (!existsSync(join(boxDir, boxFiles.disk))) {
        throw new BoxRunError("RUNTIME_ERROR", `start box ${spec.id}: it has no disk in ${boxDir}; remove it`);
      }
      await this.#booter.check(spec);
      await endLeftovers(boxDir);
      await keepNote(boxDir, spec.note);
      await this.#boot(spec, boxDir, signal);
    });
  }

  async stop(boxId: string, graceMs: number): Promise<StopReport> {
    const boxDir = this.#layout.dir(boxId);
    return await this.#lock.run(boxId, async () => {
      const vm = this.#vms.get(boxId);
      if (vm !== undefined) return await vm.powerOff(graceMs);
      return existsSync(boxDir) ? await this.#stopStranger(boxId, boxDir, graceMs) : nothingStopped;
    });
  }

  async remove(boxId: string): Promise<void> {
    const boxDir = this.#layout.dir(boxId);
    for (const controller of this.#underWay.get(boxId) ?? []) {
      controller.abort(new BoxRunError("CANCELED", `box ${boxId} is being removed`));
    }
    await this.#lock.run(boxId, async () => {
      const vm = this.#vms.get(boxId);
      if (vm !== undefined) await vm.kill();
      else if (existsSync(boxDir)) await endLeftovers(boxDir);
      await rm(boxDir, { recursive: true, force: true });
    });
  }

  async adopt(spec: BoxSpec, signal: AbortSignal): Promise<Adoption> {
    const boxDir = this.#layout.dir(spec.id);
    return await this.#lock.run(spec.id, async () => {
      const vm = this.#vms.get(spec.id);
      if (vm !== undefined && !vm.gone.aborted) return await vm.answers(signal);
      await vm?.ended;
      if (!existsSync(join(boxDir, boxFiles.disk))) return { state: "missing" };
      const found = await adoptMachine(boxDir, signal);
      if ("line" in found) {
        this.#keep(new Vm(found, this.#context(spec, boxDir)));
        return { state: "running" };
      }
      if (found.state === "dead") await endLeftovers(boxDir);
      return found;
    });
  }

  async list(): Promise<readonly string[]> {
    try {
      return await readdir(this.#layout.root);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
  }

  impairment(boxId: string): string | undefined {
    return this.#vms.get(boxId)?.impairment;
  }

  onImpairment(listener: (boxId: string) => void): () => void {
    this.#impairmentListeners.add(listener);
    return () => this.#impairmentListeners.delete(listener);
  }

  async recall(boxId: string): Promise<string | undefined> {
    return await readNote(this.#layout.dir(boxId));
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
  }

  async #boot(spec: BoxSpec, boxDir: string, signal: AbortSignal): Promise<void> {
    const machine = await this.#booter.boot(spec, boxDir, signal);
    this.#keep(new Vm(machine, this.#context(spec, boxDir)));
  }

  /** Ends a VM that was not taken over: by its agent if that can be reached after all, and else as far as QEMU can. */
  async #stopStranger(boxId: string, boxDir: string, graceMs: number): Promise<StopReport> {
    const record = await readVmRecord(boxDir);
    const isThere = record !== undefined && isAlive(record.qemu);
    if (isThere) {
      // A frozen one hears nothing.
      signalProcess(record.qemu, "SIGCONT");
      const found = await adoptMachine(boxDir, new AbortController().signal);
      if ("line" in found) {
        const vm = new Vm(found, this.#context({ id: boxId, volumes: [], network: false }, boxDir));
        this.#keep(vm);
        return await vm.powerOff(graceMs);
      }
      this.#logger.warn({ boxId, found }, "a box is stopped whose agent can't be asked to");
      // QEMU writes out what the guest has written to its disk; what the guest holds in memory is lost.
      signalProcess(record.qemu, "SIGTERM");
      await waitUntilGone(record.qemu, quitLimitMs);
    }
    await endLeftovers(boxDir);
    return { killed: [], forced: isThere };
  }

  #keep(vm: Vm): void {
    this.#vms.set(vm.boxId, vm);
    const forget = () => {
      if (this.#vms.get(vm.boxId) === vm) this.#vms.delete(vm.boxId);
    };
    vm.ended.then(forget, (error: unknown) => {
      forget();
      this.#logger.error({ boxId: vm.boxId, err: error }, "what is left of a box's VM could not be cleared away");
    });
  }

  #context(spec: Pick<BoxSpec, "id" | "volumes" | "network">, boxDir: string): VmContext {
    const boxId = spec.id;
    return {
      boxId,
      boxDir,
      helpersOf: (refs) => helpersOf(spec, refs, boxDir),
      onImpairment: (trouble) => {
        if (trouble === undefined) this.#logger.info({ boxId }, "everything around a box works again");
        else this.#logger.warn({ boxId, trouble }, "something around a box does not work");
        for (const listener of this.#impairmentListeners) listener(boxId);
      },
      onDeath: (reason: string) => {
        for (const listener of this.#deathListeners) listener({ boxId, reason });
      },
    };
  }

  async #makeDir(boxId: string, boxDir: string): Promise<void> {
    try {
      await mkdir(boxDir, { mode: 0o700 });
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
      throw new BoxRunError("RUNTIME_ERROR", `create box ${boxId}: ${boxDir} exists already; remove the box first`);
    }
  }

  /** Runs under the box's lock, ends when the caller, `remove` or `close` says so, and rejects with a BoxRunError. */
  async #abortable(
    operation: string,
    boxId: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const controller = new AbortController();
    const set = this.#underWay.get(boxId) ?? new Set();
    this.#underWay.set(boxId, set.add(controller));
    const either = AbortSignal.any([signal, controller.signal]);
    try {
      if (this.#closed) throw new BoxRunError("CANCELED", `${operation} box ${boxId}: the engine is closed`);
      await this.#lock.run(boxId, async () => {
        either.throwIfAborted();
        await work(either);
      });
    } catch (error) {
      if (error instanceof BoxRunError && !isFull(error)) throw error;
      if (isFull(error)) {
        throw new BoxRunError(
          "RUNTIME_ERROR",
          `${operation} box ${boxId}: the disk that holds ${this.#layout.root} is full`,
          {
            cause: error,
          },
        );
      }
      const reason = error instanceof Error ? error.message : String(error);
      const code = either.aborted ? "CANCELED" : "RUNTIME_ERROR";
      throw new BoxRunError(code, `${operation} box ${boxId}: ${reason}`, { cause: error });
    } finally {
      set.delete(controller);
      if (set.size === 0) this.#underWay.delete(boxId);
    }
  }
}

/** Ends what an earlier server, or an earlier life of the box, may have left running. */
async function endLeftovers(boxDir: string): Promise<void> {
  const record = await readVmRecord(boxDir);
  await endProcesses(boxDir, record === undefined ? [] : processesOf(record));
}

/** Runs the tasks at once; if one fails the others are aborted, and it rejects when all have come to their end. */
async function allOrNone(
  signal: AbortSignal,
  tasks: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  let first: { readonly error: unknown } | undefined;
  await Promise.all(
    tasks.map(async (task) => {
      try {
        await task(either);
      } catch (error) {
        first ??= { error };
        failed.abort(error);
      }
    }),
  );
  if (first !== undefined) throw first.error;
}

/** Node says ENOSPC, and the programs that we run say what strerror(3) does. */
function isFull(error: unknown): boolean {
  return isErrno(error, "ENOSPC") || (error instanceof Error && error.message.includes("No space left on device"));
}
