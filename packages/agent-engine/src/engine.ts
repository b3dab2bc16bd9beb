import type { Duplex, Readable } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import {
  type Adoption,
  type BoxDeath,
  type BoxSpec,
  type BoxUsage,
  type CreateOptions,
  defaultStopGraceMs,
  type Engine,
  type EngineDescription,
  type EngineExec,
  type ExecSpec,
  type FileContent,
  type ListeningPort,
  type Logger,
  type MakeDirectoryOptions,
  type OutputOffsets,
  type PrepareOptions,
  type RenameOptions,
  type StopReport,
  type TransferOptions,
  type UsageOptions,
  type WatchOptions,
  type WriteOptions,
} from "@boxrun/core";
import { connectPort, listeningPorts, reclaimMemory, resumeExec, startExec } from "@boxrun/guest-agent";
import { Boxes } from "./boxes.ts";
import type { VmProvider } from "./provider.ts";
import type { Vm } from "./vm.ts";

/** An engine over VMs in which our agent runs, whoever makes them. */
export function createAgentEngine(provider: VmProvider, logger: Logger): Engine {
  return new AgentEngine(provider, logger);
}

class AgentEngine implements Engine {
  readonly name: string;
  readonly prepare?: (spec: BoxSpec, options: PrepareOptions) => Promise<void>;
  readonly anticipate?: (spec: BoxSpec, options: { readonly signal: AbortSignal }) => Promise<boolean>;
  readonly #provider: VmProvider;
  readonly #boxes: Boxes;

  constructor(provider: VmProvider, logger: Logger) {
    this.name = provider.name;
    this.#provider = provider;
    this.#boxes = new Boxes(provider, logger);
    if (provider.prepare !== undefined) this.prepare = (spec, options) => this.#boxes.prepare(spec, options);
    const anticipate = provider.anticipate?.bind(provider);
    if (anticipate !== undefined) {
      this.anticipate = (spec, { signal }) =>
        asBoxRunError("make what new boxes begin with", () => anticipate(spec, signal));
    }
  }

  async describe(): Promise<EngineDescription> {
    const described = await this.#provider.describe();
    if (this.#provider.prepare === undefined) return described;
    return { ...described, capabilities: [...described.capabilities, "prepared-boxes"] };
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

  async readDisk<T>(spec: BoxSpec, options: TransferOptions, take: (tar: Readable) => Promise<T>): Promise<T> {
    return await this.#boxes.readDisk(spec, options, take);
  }

  async listBoxes(): Promise<readonly string[]> {
    return await asBoxRunError("list the engine's boxes", () => this.#provider.list());
  }

  impairment(boxId: string): string | undefined {
    return this.#boxes.impairment(boxId);
  }

  onImpairment(listener: (boxId: string) => void): () => void {
    return this.#boxes.onImpairment(listener);
  }

  async recall(boxId: string): Promise<string | undefined> {
    return await asBoxRunError(`recall box ${boxId}`, () => this.#provider.recall(boxId));
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

  async watchFiles(boxId: string, path: string, options: WatchOptions) {
    return await this.#boxes.running(boxId).files.watch(path, options);
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

  async usage(boxId: string, options: UsageOptions): Promise<BoxUsage> {
    return await this.#boxes.running(boxId).usage(options);
  }

  async reclaimMemory(boxId: string): Promise<void> {
    await reclaimMemory(this.#boxes.running(boxId).line);
  }

  async forgetImage(digest: string): Promise<void> {
    await asBoxRunError(`forget the image ${digest}`, () => this.#provider.forgetImage(digest));
  }

  async close(): Promise<void> {
    await this.#boxes.close();
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
