import { mkdirSync } from "node:fs";
import type { Duplex, Readable } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import {
  type Adoption,
  type BoxDeath,
  type BoxSpec,
  type CreateOptions,
  defaultStopGraceMs,
  type Engine,
  type EngineCapability,
  type EngineDescription,
  type EngineExec,
  type ExecSpec,
  type FileContent,
  type ListeningPort,
  type Logger,
  type MakeDirectoryOptions,
  type OutputOffsets,
  type RenameOptions,
  type StopReport,
  type TransferOptions,
  type WriteOptions,
} from "@boxrun/core";
import { connectPort, listeningPorts, resumeExec, startExec } from "@boxrun/guest-agent";
import { locateTool, requireTool } from "@boxrun/host";
import { BoxBooter } from "./boxes/booter.ts";
import { Boxes } from "./boxes/boxes.ts";
import { BoxLayout } from "./boxes/layout.ts";
import { ImageDisks } from "./disks/image-disks.ts";
import { Host } from "./host.ts";
import type { Vm } from "./vm/vm.ts";
import { volumeSupport } from "./volumes/virtiofsd.ts";

export interface QemuEngineOptions {
  /** Boxes and their disks: `vm/` and `disks/` below it are this engine's. One engine at a time may use it. */
  readonly stateDir: string;
  /** Where `buildGuest` has put the kernel; the verdict about KVM is kept here too. */
  readonly cacheDir: string;
  readonly logger: Logger;
  /** How long the first attempt to boot may take. Default: 10 s with KVM, 30 s without. */
  readonly bootLimitMs?: number;
}

/** An engine whose boxes are QEMU microVMs. VALIDATION_ERROR if `stateDir` is too long a path for the sockets in it. */
export function createQemuEngine(options: QemuEngineOptions): Engine {
  return new QemuEngine(options);
}

class QemuEngine implements Engine {
  readonly name = "qemu";
  readonly #host: Host;
  readonly #images: ImageDisks;
  readonly #boxes: Boxes;

  constructor(options: QemuEngineOptions) {
    const layout = new BoxLayout(options.stateDir);
    mkdirSync(layout.root, { recursive: true, mode: 0o700 });
    this.#host = new Host(options.cacheDir);
    this.#images = new ImageDisks(options.stateDir);
    const booter = new BoxBooter({ host: this.#host, logger: options.logger, bootLimitMs: options.bootLimitMs });
    this.#boxes = new Boxes({ layout, images: this.#images, booter, logger: options.logger });
  }

  async describe(): Promise<EngineDescription> {
    const capabilities: EngineCapability[] = ["exec-resume", "binary-output", "tty"];
    if (locateTool("passt") !== undefined) capabilities.push("network");
    const [volumes, accelerator] = await Promise.all([volumeSupport(), this.#accelerator()]);
    if (volumes.kind !== "none") capabilities.push("volumes");
    return { ...accelerator, capabilities };
  }

  async create(spec: BoxSpec, options: CreateOptions): Promise<void> {
    await this.#boxes.create(spec, options);
  }

  async start(spec: BoxSpec, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#boxes.start(spec, options);
  }

  async stop(boxId: string, options = { graceMs: defaultStopGraceMs }): Promise<StopReport> {
    return await asBoxRunError(`stop box ${boxId}`, () => this.#boxes.stop(boxId, options.graceMs));
  }

  async remove(boxId: string): Promise<void> {
    await asBoxRunError(`remove box ${boxId}`, () => this.#boxes.remove(boxId));
  }

  async adopt(spec: BoxSpec, { signal }: { readonly signal: AbortSignal }): Promise<Adoption> {
    return await asBoxRunError(`take over box ${spec.id}`, () => this.#boxes.adopt(spec, signal));
  }

  async listBoxes(): Promise<readonly string[]> {
    return await asBoxRunError("list the engine's boxes", () => this.#boxes.list());
  }

  impairment(boxId: string): string | undefined {
    return this.#boxes.impairment(boxId);
  }

  onImpairment(listener: (boxId: string) => void): () => void {
    return this.#boxes.onImpairment(listener);
  }

  async recall(boxId: string): Promise<string | undefined> {
    return await this.#boxes.recall(boxId);
  }

  onDeath(listener: (death: BoxDeath) => void): () => void {
    return this.#boxes.onDeath(listener);
  }

  async exec(boxId: string, spec: ExecSpec): Promise<EngineExec> {
    return await startExec(this.#boxes.running(boxId), spec);
  }

  async resumeExec(boxId: string, execId: string, from: OutputOffsets): Promise<EngineExec | undefined> {
    return await resumeExec(this.#boxes.running(boxId), execId, from);
  }

  async writeFile(boxId: string, path: string, content: Readable, options: WriteOptions): Promise<void> {
    await this.#sending(boxId, content).files.write(path, content, options);
  }

  async readFile(boxId: string, path: string, options: TransferOptions): Promise<FileContent> {
    return await this.#boxes.running(boxId).files.read(path, options);
  }

  async writeArchive(boxId: string, directory: string, tar: Readable, options: WriteOptions): Promise<void> {
    await this.#sending(boxId, tar).files.writeArchive(directory, tar, options);
  }

  async readArchive(
    boxId: string,
    path: string,
    options: TransferOptions & { readonly full?: boolean },
  ): Promise<Readable> {
    return await this.#boxes.running(boxId).files.readArchive(path, options);
  }

  async *listFiles(boxId: string, path: string, options: TransferOptions) {
    yield* this.#boxes.running(boxId).files.list(path, options);
  }

  async statFile(boxId: string, path: string, options: { readonly follow: boolean }) {
    return await this.#boxes.running(boxId).files.stat(path, options);
  }

  async makeDirectory(boxId: string, path: string, options: MakeDirectoryOptions): Promise<void> {
    await this.#boxes.running(boxId).files.makeDirectory(path, options);
  }

  async renameFile(boxId: string, path: string, to: string, options: RenameOptions): Promise<void> {
    await this.#boxes.running(boxId).files.rename(path, to, options);
  }

  async removeFile(boxId: string, path: string): Promise<void> {
    await this.#boxes.running(boxId).files.remove(path);
  }

  async connect(boxId: string, port: number, options: TransferOptions): Promise<Duplex> {
    return await connectPort(this.#boxes.running(boxId), port, options);
  }

  async listPorts(boxId: string): Promise<readonly ListeningPort[]> {
    return await listeningPorts(this.#boxes.running(boxId));
  }

  async forgetImage(digest: string): Promise<void> {
    await asBoxRunError(`forget the image ${digest}`, () => this.#images.forget(digest));
  }

  async close(): Promise<void> {
    await this.#boxes.close();
  }

  async #accelerator(): Promise<Omit<EngineDescription, "capabilities">> {
    try {
      requireTool("mkfs.ext4", "run a box");
      const accelerator = await this.#host.accelerator();
      const { jail, how } = await this.#host.confinement();
      return { ready: true, ...accelerator, confinement: { complete: jail?.userNamespace === true, how } };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { accelerator: "none", ready: false, why };
    }
  }

  /** The box's VM; if there is none, nobody will read the content. */
  #sending(boxId: string, content: Readable): Vm {
    try {
      return this.#boxes.running(boxId);
    } catch (error) {
      content.destroy();
      throw error;
    }
  }
}

async function asBoxRunError<T>(operation: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BoxRunError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new BoxRunError("RUNTIME_ERROR", `${operation}: ${reason}`, { cause: error });
  }
}
