import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
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
import { locateAgent } from "@boxrun/guest-agent";
import { isAlive, isErrno, keepNote, readNote, signalProcess, waitUntilGone } from "@boxrun/host";
import { adoptMachine } from "./adopt.ts";
import { withAgent } from "./agent-image.ts";
import { type BootPlan, boot, type Machine } from "./boot.ts";
import type { Layout } from "./layout.ts";
import { boxOptions, checkSpec } from "./options.ts";
import { endVm } from "./processes.ts";
import { type BoxRecord, readBoxRecord, writeBoxRecord } from "./record.ts";
import { type BoxHandle, openRuntime, type Runtime, reasonOf } from "./sdk.ts";
import { Vm } from "./vm.ts";

/** How long BoxLite may take to end a VM whose agent can't be asked to. */
const strangerLimitMs = 8_000;

/**
 * Every box that has a directory here, and the VMs of those that run. What changes a box is done one after another for each box;
 * removing it gives up what is under way. BoxLite knows a box by our id, as its name.
 */
export class Boxes {
  readonly #layout: Layout;
  readonly #cacheDir: string;
  readonly #logger: Logger;
  readonly #lock = new KeyedLock();
  readonly #vms = new Map<string, Vm>();
  /** Creates and starts under way. */
  readonly #underWay = new Map<string, Set<AbortController>>();
  readonly #deathListeners = new Set<(death: BoxDeath) => void>();
  #closed = false;

  constructor(options: { layout: Layout; cacheDir: string; logger: Logger }) {
    this.#layout = options.layout;
    this.#cacheDir = options.cacheDir;
    this.#logger = options.logger;
  }

  async create(spec: BoxSpec, options: CreateOptions): Promise<void> {
    const boxDir = this.#layout.box(spec.id);
    await this.#abortable("create", spec.id, options.signal, async (signal) => {
      await checkSpec(spec);
      const runtime = await openRuntime(this.#layout.home);
      await this.#makeDir(spec.id, boxDir);
      try {
        const agent = locateAgent(this.#cacheDir);
        const layoutDir = await withAgent(spec.image, agent, this.#layout.images);
        const box = await runtime.create(boxOptions(spec, layoutDir), spec.id);
        const record = { engineId: box.id, imageDigest: spec.image.digest, agentKey: agent.key, vm: null };
        await writeBoxRecord(boxDir, record);
        await keepNote(boxDir, spec.note);
        options.onEngineId(box.id);
        const plan = { spec, boxDir, layout: this.#layout, record, agent, signal };
        this.#keep(spec.id, box.id, await this.#boot(runtime, plan));
      } catch (error) {
        await this.#destroy(runtime, spec.id, boxDir);
        throw error;
      }
    });
  }

  async start(spec: BoxSpec, options: { readonly signal: AbortSignal }): Promise<void> {
    const boxDir = this.#layout.box(spec.id);
    await this.#abortable("start", spec.id, options.signal, async (signal) => {
      const vm = this.#vms.get(spec.id);
      if (vm !== undefined && !vm.gone.aborted) return;
      await vm?.ended;
      const runtime = await openRuntime(this.#layout.home);
      const record = await readBoxRecord(boxDir);
      if (record === undefined || (await runtime.getInfo(spec.id)) === null) {
        throw new BoxRunError("RUNTIME_ERROR", `start box ${spec.id}: BoxLite has no disk of it; remove it`);
      }
      await checkSpec(spec);
      await this.#endLeftovers(runtime, spec.id, record.engineId);
      await keepNote(boxDir, spec.note);
      const agent = locateAgent(this.#cacheDir);
      const plan = { spec, boxDir, layout: this.#layout, record, agent, signal };
      this.#keep(spec.id, record.engineId, await this.#boot(runtime, plan));
    });
  }

  async stop(boxId: string, graceMs: number): Promise<StopReport> {
    const boxDir = this.#layout.box(boxId);
    return await this.#lock.run(boxId, async () => {
      const record = await readBoxRecord(boxDir);
      if (record === undefined) return nothingStopped;
      const runtime = await openRuntime(this.#layout.home);
      const vm = this.#vms.get(boxId);
      if (vm !== undefined) return await vm.powerOff(graceMs, () => stopHandle(runtime, boxId));
      return await this.#stopStranger(runtime, boxId, record, graceMs);
    });
  }

  async remove(boxId: string): Promise<void> {
    const boxDir = this.#layout.box(boxId);
    for (const controller of this.#underWay.get(boxId) ?? []) {
      controller.abort(new BoxRunError("CANCELED", `box ${boxId} is being removed`));
    }
    await this.#lock.run(boxId, async () => {
      await this.#vms.get(boxId)?.kill();
      // What was never here need not wake BoxLite.
      if (!existsSync(this.#layout.home)) return;
      await this.#destroy(await openRuntime(this.#layout.home), boxId, boxDir);
    });
  }

  async adopt(spec: BoxSpec, signal: AbortSignal): Promise<Adoption> {
    const boxDir = this.#layout.box(spec.id);
    return await this.#lock.run(spec.id, async () => {
      const vm = this.#vms.get(spec.id);
      if (vm !== undefined && !vm.gone.aborted) return await vm.answers(signal);
      await vm?.ended;
      const record = await readBoxRecord(boxDir);
      if (record === undefined) return { state: "missing" };
      const runtime = await openRuntime(this.#layout.home);
      if ((await runtime.getInfo(spec.id)) === null) return { state: "missing" };
      const found = await adoptMachine(record, boxDir, this.#layout, signal);
      if ("line" in found) {
        this.#keep(spec.id, record.engineId, found);
        return { state: "running" };
      }
      if (found.state === "dead") await this.#endLeftovers(runtime, spec.id, record.engineId);
      return found;
    });
  }

  /** Those with a directory here, and those that BoxLite has without one. */
  async list(): Promise<readonly string[]> {
    if (!existsSync(this.#layout.home)) return [];
    const runtime = await openRuntime(this.#layout.home);
    const known = (await runtime.listInfo()).map(({ id, name }) => name ?? id);
    return [...new Set([...(await readdir(this.#layout.boxes)), ...known])];
  }

  async recall(boxId: string): Promise<string | undefined> {
    return await readNote(this.#layout.box(boxId));
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

  /** BoxLite gives a VM 30 s to come up, which on a busy host with emulated virtualisation may be too few: one more attempt. */
  async #boot(runtime: Runtime, plan: BootPlan): Promise<Machine> {
    const { spec, signal } = plan;
    // A handle that has been stopped is spent: each attempt takes a new one.
    const attempt = async () => boot(plan, await handleOf(runtime, spec.id));
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted || !(error instanceof BoxRunError) || !error.message.includes("timed out")) throw error;
      this.#logger.warn({ boxId: spec.id, reason: error.message }, "the first attempt to boot failed; trying again");
      await (await handleOf(runtime, spec.id)).stop().catch(() => undefined);
      return await attempt();
    }
  }

  #keep(boxId: string, engineId: string, machine: Machine): Vm {
    const vm = new Vm(machine, {
      boxId,
      exitFile: this.#layout.exitFile(engineId),
      onDeath: (reason) => {
        for (const listener of this.#deathListeners) listener({ boxId, reason });
      },
    });
    this.#vms.set(boxId, vm);
    vm.ended.then(() => {
      if (this.#vms.get(boxId) === vm) this.#vms.delete(boxId);
    });
    return vm;
  }

  /** Ends a VM that was not taken over: by its agent if that can be reached after all, and else as far as BoxLite can. */
  async #stopStranger(runtime: Runtime, boxId: string, record: BoxRecord, graceMs: number): Promise<StopReport> {
    const isThere = record.vm !== null && isAlive(record.vm.process);
    if (record.vm !== null && isThere) {
      // A frozen one hears nothing.
      signalProcess(record.vm.process, "SIGCONT");
      const found = await adoptMachine(record, this.#layout.box(boxId), this.#layout, new AbortController().signal);
      if ("line" in found) {
        const vm = this.#keep(boxId, record.engineId, found);
        return await vm.powerOff(graceMs, () => stopHandle(runtime, boxId));
      }
      this.#logger.warn({ boxId, found }, "a box is stopped whose agent can't be asked to");
      const stopping = stopHandle(runtime, boxId).catch(() => undefined);
      await Promise.race([stopping, waitUntilGone(record.vm.process, strangerLimitMs)]);
    }
    await this.#endLeftovers(runtime, boxId, record.engineId);
    return { killed: [], forced: isThere };
  }

  /** Ends what an earlier server, or an earlier life of the box, may have left running. */
  async #endLeftovers(runtime: Runtime, boxId: string, engineId: string): Promise<void> {
    await endVm(engineId);
    if ((await runtime.getInfo(boxId))?.state.running === true) await stopHandle(runtime, boxId);
  }

  async #destroy(runtime: Runtime, boxId: string, boxDir: string): Promise<void> {
    const info = await runtime.getInfo(boxId);
    if (info !== null) {
      await endVm(info.id);
      await runtime.remove(boxId, true);
    }
    await rm(boxDir, { recursive: true, force: true });
  }

  async #makeDir(boxId: string, boxDir: string): Promise<void> {
    await mkdir(this.#layout.boxes, { recursive: true, mode: 0o700 });
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
      if (error instanceof BoxRunError) throw error;
      const code = either.aborted ? "CANCELED" : "RUNTIME_ERROR";
      throw new BoxRunError(code, `${operation} box ${boxId}: ${reasonOf(error)}`, { cause: error });
    } finally {
      set.delete(controller);
      if (set.size === 0) this.#underWay.delete(boxId);
    }
  }
}

async function stopHandle(runtime: Runtime, boxId: string): Promise<void> {
  const box = await runtime.get(boxId);
  await box?.stop();
}

async function handleOf(runtime: Runtime, boxId: string): Promise<BoxHandle> {
  const box = await runtime.get(boxId);
  if (box === null) throw new BoxRunError("RUNTIME_ERROR", `boot box ${boxId}: BoxLite does not know it`);
  return box;
}
