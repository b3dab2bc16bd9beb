import { availableParallelism } from "node:os";
import { BoxRunError } from "@boxrun/contract";
import type { BoxSpec, Logger } from "@boxrun/core";
import { prepareVm, setUpVm } from "@boxrun/guest-agent";
import { requireTool } from "@boxrun/host";
import type { Host } from "../host.ts";
import { macOf } from "../network/mac.ts";
import type { BoxContents } from "../templates/make-ready.ts";
import type { Template, Templates } from "../templates/templates.ts";
import { type BootPlan, coldBoot, isLate, resumeKept } from "../vm/cold-boot.ts";
import { boxDisks, maxVolumes } from "../vm/command-line.ts";
import { endProcesses, type RunningQemu } from "../vm/machine.ts";
import { writeVmRecord } from "../vm/record.ts";
import { devicesOf } from "../vm/set-up.ts";
import { Slots } from "../vm/slots.ts";
import { warmUp } from "../vm/warm-up.ts";
import { volumeSupport } from "../volumes/virtiofsd.ts";

/** What has become of a template's VM: this box, or nothing. */
type Resumed = { readonly box: RunningQemu } | Unfit;

/** A template from which a box has not come up. */
interface Unfit {
  readonly template: Template;
  readonly error: unknown;
}

/** A box that has never had a VM. */
export interface NewBox {
  readonly contents: BoxContents;
  /** The template whose disk it has a copy of; `undefined`: its disk is empty. */
  readonly ready: Template | undefined;
  /** Makes its disk anew, empty. */
  readonly emptyDisk: (signal: AbortSignal) => Promise<void>;
}

/** What a VM is to become. */
interface Wanted extends BoxSpec {
  /** All of it but what only its owner says: `identify` is what is left. */
  readonly isPrepared?: true;
}

export interface BoxBooterOptions {
  readonly host: Host;
  readonly logger: Logger;
  /** Overrides how long the first attempt to boot may take; tests want it short. */
  readonly bootLimitMs: number | undefined;
  /** `undefined`: every box boots. */
  readonly templates: Templates | undefined;
}

/**
 * From a box's directory to a VM that takes execs. In two steps: obtain a VM whose agent has greeted, then make it into this box.
 * Only the first knows how a VM comes to be.
 */
export class BoxBooter {
  readonly #options: BoxBooterOptions;
  /** Booting is all CPU: more at a time than there are CPUs makes every one late, and late looks like hung. */
  readonly #slots = new Slots(Math.max(2, availableParallelism()));

  constructor(options: BoxBooterOptions) {
    this.#options = options;
  }

  /** Refuses early what can't work on this host. NOT_SUPPORTED or RUNTIME_ERROR. */
  async check(spec: BoxSpec): Promise<void> {
    requireTool("mkfs.ext4", "make the box's disk");
    if (spec.network) requireTool("passt", "connect the box to the network");
    if (spec.volumes.length === 0) return;
    const support = await volumeSupport();
    if (support.kind === "none") throw new BoxRunError("NOT_SUPPORTED", `give box ${spec.id} volumes: ${support.why}`);
    if (spec.volumes.length > maxVolumes) {
      throw new BoxRunError(
        "NOT_SUPPORTED",
        `give box ${spec.id} ${spec.volumes.length} volumes: a VM of this engine has room for ${maxVolumes}`,
      );
    }
  }

  /** A template with the disk that a new box with these contents begins with, if there is one. It is the caller's. */
  async ready(spec: BoxSpec, boxDir: string, contents: BoxContents): Promise<Template | undefined> {
    const plan = await this.#plan(spec, boxDir);
    return await this.#options.templates?.takeReady(plan, contents);
  }

  async boot(spec: BoxSpec, boxDir: string, signal: AbortSignal, made?: NewBox): Promise<RunningQemu> {
    return await this.#obtain(spec, boxDir, signal, made);
  }

  /** As `boot`, but for what `identify` does: ahead of time, with what a box most likely does first done before. */
  async prepare(spec: BoxSpec, boxDir: string, signal: AbortSignal, made?: NewBox): Promise<RunningQemu> {
    return await this.#obtain({ ...spec, isPrepared: true }, boxDir, signal, made);
  }

  /** Makes a VM that was prepared into this box. If it rejects, nothing of the VM is left. */
  async identify(machine: RunningQemu, spec: BoxSpec, boxDir: string, signal: AbortSignal): Promise<RunningQemu> {
    return await this.#setUp(machine, spec, boxDir, signal);
  }

  async #obtain(spec: Wanted, boxDir: string, signal: AbortSignal, made?: NewBox): Promise<RunningQemu> {
    const plan = await this.#plan(spec, boxDir);
    return await this.#slots.run(signal, async () => {
      const unfit: Unfit[] = [];
      let wanted: (() => Promise<void> | undefined) | undefined;
      const want = (make: () => Promise<void> | undefined) => {
        wanted = make;
      };
      const { templates } = this.#options;
      const resumeBare = async (take: () => Promise<Template | undefined> | undefined) =>
        await this.#resumeBare(plan, spec, signal, made, unfit, want, take);
      const box =
        (await this.#resumeReady(plan, spec, signal, made, unfit)) ??
        (await resumeBare(() => templates?.take(plan))) ??
        // Of many boxes that begin at once the first ones boot; the others find a template in the making.
        (await resumeBare(() => (unfit.length === 0 ? templates?.takeSoon(plan, signal) : undefined))) ??
        (await this.#bootCold(plan, spec, signal, want));
      // Only now it is known that it was the template's fault, and not the box's or the host's.
      for (const { template, error } of unfit) {
        await templates?.failed(template, error, { isLate: isLate(error) });
      }
      // Behind the boot, which it would only have made slower, and behind the end of the one that did not work. It is begun before the next box has its turn.
      await wanted?.()?.catch(() => undefined);
      return box;
    });
  }

  async #resumeReady(
    plan: BootPlan,
    spec: Wanted,
    signal: AbortSignal,
    made: NewBox | undefined,
    unfit: Unfit[],
  ): Promise<RunningQemu | undefined> {
    if (made?.ready === undefined) return undefined;
    const resumed = await this.#resume(plan, spec, made.ready, signal);
    if ("box" in resumed) return resumed.box;
    unfit.push(resumed);
    // What is on the disk belongs to that VM's memory.
    await made.emptyDisk(signal);
    return undefined;
  }

  async #resumeBare(
    plan: BootPlan,
    spec: Wanted,
    signal: AbortSignal,
    made: NewBox | undefined,
    unfit: Unfit[],
    want: (make: () => Promise<void> | undefined) => void,
    take: () => Promise<Template | undefined> | undefined,
  ): Promise<RunningQemu | undefined> {
    const { templates } = this.#options;
    using template = await take();
    if (template === undefined) return undefined;
    const resumed = await this.#resume(plan, spec, template, signal);
    if ("box" in resumed) {
      // The second of its kind: there may be more.
      if (made !== undefined) want(() => templates?.wantReady(plan, made.contents));
      return resumed.box;
    }
    unfit.push(resumed);
    return undefined;
  }

  async #bootCold(
    plan: BootPlan,
    spec: Wanted,
    signal: AbortSignal,
    want: (make: () => Promise<void> | undefined) => void,
  ): Promise<RunningQemu> {
    const machine = await coldBoot(plan, signal, this.#options.bootLimitMs);
    const box = await this.#setUp(machine, spec, plan.boxDir, signal);
    want(() => this.#options.templates?.want(plan));
    return box;
  }

  async #plan(spec: BoxSpec, boxDir: string): Promise<BootPlan> {
    const { host, logger } = this.#options;
    const guest = host.guest();
    const { accelerator } = await host.accelerator();
    const { jail } = await host.confinement();
    return {
      boxId: spec.id,
      boxDir,
      qemu: host.qemu(),
      jail,
      cgroups: await host.cgroups(),
      hostHelper: guest.hostHelper,
      volumes: spec.volumes,
      logger,
      shape: {
        accelerator,
        cpu: spec.cpu,
        memoryMb: spec.memoryMb,
        tscKhz: await host.tscKhz(),
        kernel: guest.kernel,
        initramfs: guest.initramfs,
        disks: boxDisks,
        network: spec.network ? { mac: macOf(spec.id) } : undefined,
        volumes: spec.volumes.length === 0 ? undefined : spec.volumes.length,
        name: `boxrun-${spec.id}`,
      },
    };
  }

  async #resume(plan: BootPlan, spec: Wanted, template: Template, signal: AbortSignal): Promise<Resumed> {
    try {
      const machine = await resumeKept({ ...plan, kept: template.kept }, signal);
      const box = await this.#setUp(machine, spec, plan.boxDir, signal);
      this.#options.templates?.worked(template.key);
      return { box };
    } catch (error) {
      signal.throwIfAborted();
      return { template, error };
    }
  }

  async #setUp(machine: RunningQemu, spec: Wanted, boxDir: string, signal: AbortSignal): Promise<RunningQemu> {
    const { line, qmp, qemu, helpers, hasBulk } = machine;
    // An abort ends the line, and with it whatever waits for the agent.
    const giveUp = () => line.end(new BoxRunError("CANCELED", `set up box ${spec.id}: given up`));
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      signal.throwIfAborted();
      const devices = devicesOf(spec, this.#options.host.guest().manifest);
      if (spec.isPrepared) {
        await prepareVm(line, spec.id, devices);
        await warmUp(line, spec.id, signal);
        return machine;
      }
      await setUpVm(line, spec, devices);
      await writeVmRecord(boxDir, { qemu, helpers, guestBootId: line.bootId ?? null, bulk: hasBulk });
      return machine;
    } catch (error) {
      line.end(new BoxRunError("RUNTIME_ERROR", `box ${spec.id} could not be set up`));
      qmp.close();
      await endProcesses(boxDir, [qemu, ...helpers]);
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }
}
