import { accessSync, constants, existsSync, mkdirSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import type { Machine, MakeOptions, ProviderDescription, VmProvider } from "@boxrun/agent-engine";
import { BoxRunError } from "@boxrun/contract";
import type { Adoption, BoxSpec, Logger } from "@boxrun/core";
import { locateAgent } from "@boxrun/guest-agent";
import { isAlive, keepNote, makeBoxDir, readNote, signalProcess, waitUntilGone } from "@boxrun/host";
import { adoptMachine } from "./adopt.ts";
import { removeAgentImages, withAgent } from "./agent-image.ts";
import { type BootPlan, boot, type RunningVm } from "./boot.ts";
import { removeUnusedImageDisks } from "./images.ts";
import { Layout } from "./layout.ts";
import { BoxLiteMachine } from "./machine.ts";
import { boxOptions, checkSpec, leastMemoryMb } from "./options.ts";
import { endVm } from "./processes.ts";
import { readBoxRecord, writeBoxRecord } from "./record.ts";
import { type BoxHandle, inWords, loadSdk, openRuntime, type Runtime, reasonOf } from "./sdk.ts";

/** How long BoxLite may take to end a VM whose agent can't be asked to. */
const strangerLimitMs = 8_000;

export interface BoxLiteProviderOptions {
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly logger: Logger;
}

/** Boxes of BoxLite's, with our agent as their first process. BoxLite knows a box by our id, as its name. */
export class BoxLiteProvider implements VmProvider {
  readonly name = "boxlite";
  readonly #layout: Layout;
  readonly #cacheDir: string;
  readonly #logger: Logger;

  constructor({ stateDir, cacheDir, logger }: BoxLiteProviderOptions) {
    this.#layout = new Layout(stateDir);
    this.#cacheDir = cacheDir;
    this.#logger = logger;
    mkdirSync(this.#layout.boxes, { recursive: true, mode: 0o700 });
    mkdirSync(this.#layout.home, { recursive: true, mode: 0o700 });
  }

  get place(): string {
    return this.#layout.root;
  }

  async describe(): Promise<ProviderDescription> {
    const capabilities = ["exec-resume", "binary-output", "network", "volumes", "tty"] as const;
    try {
      await loadSdk();
      locateAgent(this.#cacheDir);
      accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
      return {
        accelerator: "kvm",
        ready: true,
        why: "BoxLite 0.10 runs boxes on hardware virtualisation",
        capabilities,
        leastMemoryMb,
      };
    } catch (error) {
      return { accelerator: "none", ready: false, why: reasonOf(error), capabilities, leastMemoryMb };
    }
  }

  async check(spec: BoxSpec): Promise<void> {
    await checkSpec(spec);
  }

  async make(spec: BoxSpec, { onEngineId }: MakeOptions): Promise<void> {
    const boxDir = this.#layout.box(spec.id);
    const runtime = await openRuntime(this.#layout.home);
    await mkdir(this.#layout.boxes, { recursive: true, mode: 0o700 });
    await makeBoxDir(spec.id, boxDir);
    try {
      const agent = locateAgent(this.#cacheDir);
      const layoutDir = await withAgent(spec.image, agent, this.#layout.images);
      const box = await runtime.create(boxOptions(spec, layoutDir), spec.id);
      const record = { engineId: box.id, imageDigest: spec.image.digest, agentKey: agent.key, vm: null };
      await writeBoxRecord(boxDir, record);
      await keepNote(boxDir, spec.note);
      onEngineId(box.id);
    } catch (error) {
      await this.destroy(spec.id);
      throw inWords(error);
    }
  }

  async has(boxId: string): Promise<boolean> {
    if ((await readBoxRecord(this.#layout.box(boxId))) === undefined) return false;
    const runtime = await openRuntime(this.#layout.home);
    return (await runtime.getInfo(boxId)) !== null;
  }

  /** BoxLite gives a VM 30 s to come up, which on a busy host with emulated virtualisation may be too few: one more attempt. */
  async boot(spec: BoxSpec, signal: AbortSignal): Promise<Machine> {
    const boxDir = this.#layout.box(spec.id);
    const runtime = await openRuntime(this.#layout.home);
    const record = await readBoxRecord(boxDir);
    if (record === undefined) throw new BoxRunError("RUNTIME_ERROR", `boot box ${spec.id}: its record is gone`);
    await keepNote(boxDir, spec.note);
    const plan = { spec, boxDir, layout: this.#layout, record, agent: locateAgent(this.#cacheDir), signal };
    return this.#machine(spec.id, record.engineId, await this.#bootTwice(runtime, plan));
  }

  async adopt(spec: Pick<BoxSpec, "id">, signal: AbortSignal): Promise<Machine | Adoption> {
    const boxDir = this.#layout.box(spec.id);
    const record = await readBoxRecord(boxDir);
    if (record === undefined) return { state: "missing" };
    const found = await adoptMachine(record, boxDir, this.#layout, signal);
    return "line" in found ? this.#machine(spec.id, record.engineId, found) : found;
  }

  async wake(boxId: string): Promise<boolean> {
    const vm = (await readBoxRecord(this.#layout.box(boxId)))?.vm;
    if (vm == null || !isAlive(vm.process)) return false;
    signalProcess(vm.process, "SIGCONT");
    return true;
  }

  async endUnasked(boxId: string): Promise<void> {
    const vm = (await readBoxRecord(this.#layout.box(boxId)))?.vm;
    if (vm == null) return;
    const stopping = this.#stop(boxId).catch(() => undefined);
    await Promise.race([stopping, waitUntilGone(vm.process, strangerLimitMs)]);
  }

  async endLeftovers(boxId: string): Promise<void> {
    const record = await readBoxRecord(this.#layout.box(boxId));
    if (record === undefined) return;
    await endVm(record.engineId);
    const runtime = await openRuntime(this.#layout.home);
    if ((await runtime.getInfo(boxId))?.state.running === true) await this.#stop(boxId);
  }

  async destroy(boxId: string): Promise<void> {
    const boxDir = this.#layout.box(boxId);
    // What was never here need not wake BoxLite.
    if (!existsSync(this.#layout.home)) return;
    const runtime = await openRuntime(this.#layout.home);
    const info = await runtime.getInfo(boxId);
    if (info !== null) {
      await endVm(info.id);
      await runtime.remove(boxId, true);
    }
    await rm(boxDir, { recursive: true, force: true });
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

  async forgetImage(digest: string): Promise<void> {
    await removeAgentImages(digest, this.#layout.images);
    await removeUnusedImageDisks(this.#layout);
  }

  async #bootTwice(runtime: Runtime, plan: BootPlan): Promise<RunningVm> {
    const { spec, signal } = plan;
    // A handle that has been stopped is spent: each attempt takes a new one.
    const attempt = async () => boot(plan, await handleOf(runtime, spec.id));
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted || !(error instanceof BoxRunError) || !error.message.includes("timed out"))
        throw inWords(error);
      this.#logger.warn({ boxId: spec.id, reason: error.message }, "the first attempt to boot failed; trying again");
      await (await handleOf(runtime, spec.id)).stop().catch(() => undefined);
      return await attempt();
    }
  }

  #machine(boxId: string, engineId: string, running: RunningVm): Machine {
    return new BoxLiteMachine(running, {
      exitFile: this.#layout.exitFile(engineId),
      stop: () => this.#stop(boxId),
    });
  }

  async #stop(boxId: string): Promise<void> {
    const runtime = await openRuntime(this.#layout.home);
    const box = await runtime.get(boxId);
    await box?.stop();
  }
}

async function handleOf(runtime: Runtime, boxId: string): Promise<BoxHandle> {
  const box = await runtime.get(boxId);
  if (box === null) throw new BoxRunError("RUNTIME_ERROR", `boot box ${boxId}: BoxLite does not know it`);
  return box;
}
