import { accessSync, constants, mkdirSync } from "node:fs";
import type { Duplex, Readable } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import {
  type Adoption,
  type BoxDeath,
  type BoxSpec,
  type CreateOptions,
  defaultStopGraceMs,
  type Engine,
  type EngineDescription,
  type EngineExec,
  type ExecSpec,
  engineCapabilities,
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
import { connectPort, listeningPorts, locateAgent, resumeExec, startExec } from "@boxrun/guest-agent";
import { removeAgentImages } from "./agent-image.ts";
import { Boxes } from "./boxes.ts";
import { removeUnusedImageDisks } from "./images.ts";
import { Layout } from "./layout.ts";
import { loadSdk, reasonOf } from "./sdk.ts";
import type { Vm } from "./vm.ts";

export interface BoxLiteEngineOptions {
  /** `boxlite/` below it is this engine's. One process at a time may use it. */
  readonly stateDir: string;
  /** Where `buildAgent` has put the agent. */
  readonly cacheDir: string;
  readonly logger: Logger;
}

/**
 * An engine whose boxes are BoxLite's VMs with our agent as their first process: BoxLite makes, boots and ends them, and everything
 * else goes over the agent, as on QEMU. VALIDATION_ERROR if `stateDir` is too long a path for the sockets in it. The native
 * module is loaded when it is first needed; where it is missing, `describe` says so.
 */
export function createBoxLiteEngine(options: BoxLiteEngineOptions): Engine {
  return new BoxLiteEngine(options);
}

class BoxLiteEngine implements Engine {
  readonly name = "boxlite";
  readonly #layout: Layout;
  readonly #cacheDir: string;
  readonly #boxes: Boxes;

  constructor(options: BoxLiteEngineOptions) {
    this.#layout = new Layout(options.stateDir);
    this.#cacheDir = options.cacheDir;
    mkdirSync(this.#layout.boxes, { recursive: true, mode: 0o700 });
    mkdirSync(this.#layout.home, { recursive: true, mode: 0o700 });
    this.#boxes = new Boxes({ layout: this.#layout, cacheDir: options.cacheDir, logger: options.logger });
  }

  async describe(): Promise<EngineDescription> {
    const capabilities = engineCapabilities;
    try {
      await loadSdk();
      locateAgent(this.#cacheDir);
      accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
      return {
        accelerator: "kvm",
        ready: true,
        why: "BoxLite 0.10 runs boxes on hardware virtualisation",
        capabilities,
      };
    } catch (error) {
      return { accelerator: "none", ready: false, why: reasonOf(error), capabilities };
    }
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
    await asBoxRunError(`forget the image ${digest}`, async () => {
      await removeAgentImages(digest, this.#layout.images);
      await removeUnusedImageDisks(this.#layout);
    });
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
    throw new BoxRunError("RUNTIME_ERROR", `${operation}: ${reasonOf(error)}`, { cause: error });
  }
}
