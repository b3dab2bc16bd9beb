import { availableParallelism } from "node:os";
import { BoxRunError } from "@boxrun/contract";
import type { BoxSpec, Logger } from "@boxrun/core";
import { prepareVm, setUpVm } from "@boxrun/guest-agent";
import { requireTool } from "@boxrun/host";
import { PlacingTrust } from "../host/memory-placing.ts";
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

/** A box on its way to a VM, by one way after the other. */
interface Attempt {
  readonly plan: BootPlan;
  readonly spec: Wanted;
  readonly signal: AbortSignal;
  readonly made: NewBox | undefined;
  /** Those that were tried. */
  readonly unfit: Unfit[];
  /** Has the template made that would have been wanted. */
  makeBehind: (() => Promise<void> | undefined) | undefined;
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
  readonly #placing: PlacingTrust;
  /** Booting is all CPU: more at a time than there are CPUs makes every one late, and late looks like hung. */
  readonly #slots = new Slots(Math.max(2, availableParallelism()));

  constructor(options: BoxBooterOptions) {
    this.#options = options;
    this.#placing = new PlacingTrust(options.logger);
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

  /** Makes the templates from which a new box with these contents is resumed, if they are not there: whether one was missing. NOT_SUPPORTED where none are used. */
  async anticipate(spec: BoxSpec, contents: BoxContents, signal: AbortSignal): Promise<boolean> {
    const plan = await this.#plan(spec, "");
    const { templates } = this.#options;
    if (templates === undefined) throw new BoxRunError("NOT_SUPPORTED", "boxes of this shape begin with no template");
    return await templates.complete(plan, contents, signal);
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
      const attempt: Attempt = { plan, spec, signal, made, unfit: [], makeBehind: undefined };
      const { templates } = this.#options;
      const box =
        (await this.#resumeReady(attempt)) ??
        (await this.#resumeBare(attempt, await templates?.take(plan))) ??
        // Of many boxes that begin at once the first ones boot; the others find a template in the making.
        (attempt.unfit.length === 0
          ? await this.#resumeBare(attempt, await templates?.takeSoon(plan, signal))
          : undefined) ??
        (await this.#bootCold(attempt));
      // Only now it is known that it was the template's fault, and not the box's or the host's.
      for (const { template, error } of attempt.unfit) {
        await templates?.failed(template, error, { isLate: isLate(error) });
      }
      // Behind the boot, which it would only have made slower, and behind the end of the one that did not work. It is begun before the next box has its turn.
      await attempt.makeBehind?.()?.catch(() => undefined);
      return box;
    });
  }

  async #resumeReady(attempt: Attempt): Promise<RunningQemu | undefined> {
    const { made, signal } = attempt;
    if (made?.ready === undefined) return undefined;
    const box = await this.#resume(attempt, made.ready);
    // What is on the disk belongs to the memory of the VM that did not come up.
    if (box === undefined) await made.emptyDisk(signal);
    return box;
  }

  async #resumeBare(attempt: Attempt, taken: Template | undefined): Promise<RunningQemu | undefined> {
    using template = taken;
    if (template === undefined) return undefined;
    const box = await this.#resume(attempt, template);
    const { made, plan } = attempt;
    // The second of its kind: there may be more.
    if (box !== undefined && made !== undefined) {
      attempt.makeBehind = () => this.#options.templates?.wantReady(plan, made.contents);
    }
    return box;
  }

  async #bootCold(attempt: Attempt): Promise<RunningQemu> {
    const { plan, spec, signal } = attempt;
    const machine = await coldBoot(plan, signal, this.#options.bootLimitMs);
    const box = await this.#setUp(machine, spec, plan.boxDir, signal);
    attempt.makeBehind = () => this.#options.templates?.want(plan);
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
      placing: this.#placing,
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

  /** `undefined`: it has not come up, and the template is unfit. */
  async #resume({ plan, spec, signal, unfit }: Attempt, template: Template): Promise<RunningQemu | undefined> {
    try {
      const machine = await resumeKept({ ...plan, kept: template.kept }, signal);
      const box = await this.#setUp(machine, spec, plan.boxDir, signal);
      this.#options.templates?.worked(template.key);
      return box;
    } catch (error) {
      signal.throwIfAborted();
      unfit.push({ template, error });
      return undefined;
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
        await prepareVm(line, spec.id, devices, () => warmUp(line, spec.id, signal));
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
