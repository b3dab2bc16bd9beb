import { existsSync, mkdirSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Machine, MakeOptions, PreparedMachine, ProviderDescription, VmProvider } from "@boxrun/agent-engine";
import { BoxRunError } from "@boxrun/contract";
import type { Adoption, BoxSpec, EngineDescription, Logger } from "@boxrun/core";
import {
  isAlive,
  isErrno,
  keepNote,
  locateTool,
  makeBoxDir,
  readNote,
  requireTool,
  signalProcess,
  waitUntilGone,
} from "@boxrun/host";
import { allOrNone } from "./boxes/all-or-none.ts";
import { BoxBooter, type NewBox } from "./boxes/booter.ts";
import { BoxLayout } from "./boxes/layout.ts";
import { makeBoxDisk } from "./disks/box-disk.ts";
import { copySparse } from "./disks/copy-sparse.ts";
import { ImageDisks } from "./disks/image-disks.ts";
import { Host } from "./host.ts";
import { Templates } from "./templates/templates.ts";
import { adoptMachine } from "./vm/adopt.ts";
import { boxFiles, ownMemoryMb } from "./vm/command-line.ts";
import { endProcesses } from "./vm/machine.ts";
import { QemuMachine, quitLimitMs } from "./vm/qemu-machine.ts";
import { processesOf, readVmRecord } from "./vm/record.ts";
import { Slots } from "./vm/slots.ts";
import { volumeSupport } from "./volumes/virtiofsd.ts";

export interface QemuProviderOptions {
  readonly stateDir: string;
  readonly cacheDir: string;
  readonly logger: Logger;
  readonly bootLimitMs: number | undefined;
  readonly templateCacheMb: number | undefined;
  readonly cgroup: string | undefined;
}

/** With less the kernel does not unpack its initramfs, or has nothing left to run a program in. */
const leastMemoryMb = 96;
/** Of disk: a template takes 70 to 150. */
const defaultTemplateCacheMb = 2048;

/** Boxes that have a directory each, with their disks, and QEMU processes that run them. */
export class QemuProvider implements VmProvider {
  readonly name = "qemu";
  readonly #layout: BoxLayout;
  readonly #host: Host;
  readonly #images: ImageDisks;
  readonly #templates: Templates | undefined;
  readonly #booter: BoxBooter;
  /** Of many boxes that are made at once, the others wait: each is two programs that write to the disk. */
  readonly #diskMakers = new Slots(Math.max(2, availableParallelism()));
  /** Boxes that were made and have not been booted. */
  readonly #made = new Map<string, NewBox>();

  constructor({ stateDir, cacheDir, logger, bootLimitMs, templateCacheMb, cgroup }: QemuProviderOptions) {
    this.#layout = new BoxLayout(stateDir);
    mkdirSync(this.#layout.root, { recursive: true, mode: 0o700 });
    this.#host = new Host(cacheDir, cgroup);
    this.#images = new ImageDisks(stateDir);
    const limitBytes = (templateCacheMb ?? defaultTemplateCacheMb) * 1024 * 1024;
    this.#templates = limitBytes === 0 ? undefined : new Templates({ cacheDir, limitBytes, logger });
    this.#booter = new BoxBooter({ host: this.#host, logger, bootLimitMs, templates: this.#templates });
  }

  get place(): string {
    return this.#layout.root;
  }

  async describe(): Promise<ProviderDescription> {
    const capabilities: ProviderDescription["capabilities"][number][] = ["exec-resume", "binary-output", "tty"];
    if (locateTool("passt") !== undefined) capabilities.push("network");
    const [volumes, accelerator] = await Promise.all([volumeSupport(), this.#accelerator()]);
    if (volumes.kind !== "none") capabilities.push("volumes");
    return { ...accelerator, capabilities, leastMemoryMb };
  }

  async check(spec: BoxSpec): Promise<void> {
    await this.#booter.check(spec);
  }

  async make(spec: BoxSpec, { signal, onEngineId }: MakeOptions): Promise<void> {
    const boxDir = this.#layout.dir(spec.id);
    await mkdir(this.#layout.root, { recursive: true, mode: 0o700 });
    await makeBoxDir(spec.id, boxDir);
    try {
      onEngineId(spec.id);
      await allOrNone(signal, [
        () => keepNote(boxDir, spec.note),
        async (either) => {
          this.#made.set(spec.id, await this.#makeDisks(spec, boxDir, either));
        },
      ]);
    } catch (error) {
      this.#takeMade(spec.id)?.ready?.[Symbol.dispose]();
      await rm(boxDir, { recursive: true, force: true });
      throw error;
    }
  }

  async #makeDisks(spec: BoxSpec, boxDir: string, signal: AbortSignal): Promise<NewBox> {
    const disk = join(boxDir, boxFiles.disk);
    await this.#images.linkTo(join(boxDir, boxFiles.image), spec.image, signal);
    const image = await this.#images.describe(spec.image);
    const contents = { image, diskSizeGb: spec.diskSizeGb, manifest: this.#host.guest().manifest };
    const emptyDisk = async (until: AbortSignal) => {
      await rm(disk, { force: true });
      await this.#diskMakers.run(until, () => makeBoxDisk(disk, spec.diskSizeGb, until));
    };
    const ready = await this.#booter.ready(spec, boxDir, contents);
    try {
      if (ready?.disk === undefined) await emptyDisk(signal);
      else await copySparse(ready.disk, disk, signal);
      return { contents, ready, emptyDisk };
    } catch (error) {
      ready?.[Symbol.dispose]();
      throw error;
    }
  }

  async anticipate(spec: BoxSpec, signal: AbortSignal): Promise<boolean> {
    await this.#booter.check(spec);
    await this.#images.make(spec.image, signal);
    const image = await this.#images.describe(spec.image);
    const contents = { image, diskSizeGb: spec.diskSizeGb, manifest: this.#host.guest().manifest };
    return await this.#booter.anticipate(spec, contents, signal);
  }

  #takeMade(boxId: string): NewBox | undefined {
    const made = this.#made.get(boxId);
    this.#made.delete(boxId);
    return made;
  }

  async has(boxId: string): Promise<boolean> {
    return existsSync(join(this.#layout.dir(boxId), boxFiles.disk));
  }

  async boot(spec: BoxSpec, signal: AbortSignal): Promise<Machine> {
    const boxDir = this.#layout.dir(spec.id);
    const made = this.#takeMade(spec.id);
    using _ = made?.ready;
    // One that was made has it.
    if (made === undefined) await keepNote(boxDir, spec.note);
    return new QemuMachine(await this.#booter.boot(spec, boxDir, signal, made), spec, boxDir);
  }

  async prepare(spec: BoxSpec, signal: AbortSignal): Promise<PreparedMachine> {
    const boxDir = this.#layout.dir(spec.id);
    const made = this.#takeMade(spec.id);
    using _ = made?.ready;
    const running = await this.#booter.prepare(spec, boxDir, signal, made);
    return {
      guestEnd: running.guestEnd,
      claim: async (wanted, until) => {
        // Its image may be gone, and what is up may not come up again.
        if (!existsSync(join(boxDir, boxFiles.image))) {
          throw new BoxRunError("RUNTIME_ERROR", `box ${spec.id} was prepared with an image that is gone`);
        }
        await allOrNone(until, [
          () => keepNote(boxDir, wanted.note),
          async (either) => void (await this.#booter.identify(running, wanted, boxDir, either)),
        ]);
        return new QemuMachine(running, wanted, boxDir);
      },
      letGo: () => {
        running.line.end(new BoxRunError("RUNTIME_ERROR", `box ${spec.id}, which was prepared, is let go`));
        running.qmp.close();
      },
    };
  }

  async adopt(spec: Pick<BoxSpec, "id" | "volumes" | "network">, signal: AbortSignal): Promise<Machine | Adoption> {
    const boxDir = this.#layout.dir(spec.id);
    const found = await adoptMachine(boxDir, signal);
    return "line" in found ? new QemuMachine(found, spec, boxDir) : found;
  }

  async wake(boxId: string): Promise<boolean> {
    const qemu = (await readVmRecord(this.#layout.dir(boxId)))?.qemu;
    if (qemu === undefined || !isAlive(qemu)) return false;
    signalProcess(qemu, "SIGCONT");
    return true;
  }

  async endUnasked(boxId: string): Promise<void> {
    const record = await readVmRecord(this.#layout.dir(boxId));
    if (record === undefined) return;
    // QEMU writes out what the guest has written to its disk.
    signalProcess(record.qemu, "SIGTERM");
    await waitUntilGone(record.qemu, quitLimitMs);
  }

  async endLeftovers(boxId: string): Promise<void> {
    const boxDir = this.#layout.dir(boxId);
    if (!existsSync(boxDir)) return;
    const record = await readVmRecord(boxDir);
    await endProcesses(boxDir, record === undefined ? [] : processesOf(record));
  }

  async destroy(boxId: string): Promise<void> {
    this.#takeMade(boxId)?.ready?.[Symbol.dispose]();
    await this.endLeftovers(boxId);
    await rm(this.#layout.dir(boxId), { recursive: true, force: true });
    await (await this.#host.cgroups().catch(() => undefined))?.drop(boxId);
  }

  async list(): Promise<readonly string[]> {
    try {
      return await readdir(this.#layout.root);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return [];
      throw error;
    }
  }

  async recall(boxId: string): Promise<string | undefined> {
    return await readNote(this.#layout.dir(boxId));
  }

  async forgetImage(digest: string): Promise<void> {
    await this.#images.forget(digest);
  }

  async close(): Promise<void> {
    await this.#templates?.close();
  }

  async #accelerator(): Promise<Omit<EngineDescription, "capabilities">> {
    try {
      requireTool("mkfs.ext4", "run a box");
      const accelerator = await this.#host.accelerator();
      const { jail, how: jailed } = await this.#host.confinement();
      const cgroups = await this.#host.cgroups();
      const how = `${jailed}; ${cgroups?.how ?? "no cgroup of its own (BOXRUN_CGROUP)"}`;
      return {
        ready: true,
        ...accelerator,
        ownMemoryMb: ownMemoryMb[accelerator.accelerator],
        confinement: { complete: jail?.userNamespace === true, how },
      };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { accelerator: "none", ready: false, why };
    }
  }
}
