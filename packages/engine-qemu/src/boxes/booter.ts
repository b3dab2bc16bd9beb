import { availableParallelism } from "node:os";
import { BoxRunError } from "@boxrun/contract";
import type { BoxSpec, Logger } from "@boxrun/core";
import { setUpVm } from "@boxrun/guest-agent";
import { requireTool } from "@boxrun/host";
import type { Host } from "../host.ts";
import { macOf } from "../network/mac.ts";
import type { Template, Templates } from "../templates/templates.ts";
import { type BootPlan, coldBoot, isLate, resumeKept } from "../vm/cold-boot.ts";
import { boxFiles, maxVolumes } from "../vm/command-line.ts";
import { endProcesses, type RunningQemu } from "../vm/machine.ts";
import { writeVmRecord } from "../vm/record.ts";
import { devicesOf } from "../vm/set-up.ts";
import { Slots } from "../vm/slots.ts";
import { volumeSupport } from "../volumes/virtiofsd.ts";

/** What has become of a template's VM: this box, or nothing. */
type Resumed =
  | { readonly box: RunningQemu }
  | { readonly template: Pick<Template, "key" | "identity">; readonly error: unknown };

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

  async boot(spec: BoxSpec, boxDir: string, signal: AbortSignal): Promise<RunningQemu> {
    const plan = await this.#plan(spec, boxDir);
    const { templates } = this.#options;
    return await this.#slots.run(signal, async () => {
      const resumed = await this.#resume(plan, spec, signal);
      if (resumed !== undefined && "box" in resumed) return resumed.box;
      const machine = await coldBoot(plan, signal, this.#options.bootLimitMs);
      const box = await this.#setUp(machine, spec, plan.boxDir, signal);
      // Only now it is known that it was the template's fault, and not the box's or the host's.
      if (resumed !== undefined)
        await templates?.failed(resumed.template, resumed.error, { isLate: isLate(resumed.error) });
      // Behind the boot, which it would only have made slower.
      if (canResume(plan)) void templates?.want(plan).catch(() => undefined);
      return box;
    });
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
        disks: { image: boxFiles.image, disk: boxFiles.disk },
        network: spec.network ? { mac: macOf(spec.id) } : undefined,
        volumes: spec.volumes.length,
        name: `boxrun-${spec.id}`,
      },
    };
  }

  /** From a template; `undefined` if there is none of this shape. */
  async #resume(plan: BootPlan, spec: BoxSpec, signal: AbortSignal): Promise<Resumed | undefined> {
    if (!canResume(plan)) return undefined;
    const { templates } = this.#options;
    using template = await templates?.take(plan);
    if (templates === undefined || template === undefined) return undefined;
    try {
      const machine = await resumeKept({ ...plan, kept: template.kept }, signal);
      const box = await this.#setUp(machine, spec, plan.boxDir, signal);
      templates.worked(template.key);
      return { box };
    } catch (error) {
      signal.throwIfAborted();
      const { key, identity } = template;
      return { template: { key, identity }, error };
    }
  }

  async #setUp(machine: RunningQemu, spec: BoxSpec, boxDir: string, signal: AbortSignal): Promise<RunningQemu> {
    const { line, qmp, qemu, helpers } = machine;
    // An abort ends the line, and with it whatever waits for the agent.
    const giveUp = () => line.end(new BoxRunError("CANCELED", `set up box ${spec.id}: given up`));
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      signal.throwIfAborted();
      await setUpVm(line, spec, devicesOf(spec, this.#options.host.guest().manifest));
      await writeVmRecord(boxDir, { qemu, helpers, guestBootId: line.bootId ?? null });
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

/** QEMU's vhost-user-fs can't be saved, so there is no template with volumes, and a microvm takes no device later. */
function canResume({ volumes }: BootPlan): boolean {
  return volumes.length === 0;
}
