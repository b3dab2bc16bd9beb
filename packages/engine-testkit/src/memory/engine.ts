import { type Duplex, Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BoxRunError, type FileEntry } from "@boxrun/contract";
import {
  type Adoption,
  type BoxDeath,
  type BoxSpec,
  type BoxUsage,
  type CreateOptions,
  type Engine,
  type EngineCapability,
  type EngineDescription,
  type EngineExec,
  type ExecSpec,
  type FileContent,
  isAlike,
  type ListeningPort,
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
import { archive, unpack } from "./archive.ts";
import { MemoryBox } from "./box.ts";
import { MemoryControls } from "./controls.ts";
import { newFile } from "./file-system.ts";
import { MemoryHost } from "./host.ts";
import { Ownership } from "./ownership.ts";
import type { Program } from "./program.ts";
import { builtinPrograms } from "./programs.ts";

export interface MemoryEngineOptions {
  /** Default: "memory". */
  readonly name?: string;
  /** Why it is not ready. It works all the same; `controls` make it fail. Default: it is. */
  readonly notReady?: string;
  /** What outlives the engine. Default: a new one. */
  readonly host?: MemoryHost;
  /** On top of the built-in programs, by name. */
  readonly programs?: Readonly<Record<string, Program>>;
  /** Default: all that it really has, which is neither network nor volumes. */
  readonly capabilities?: readonly EngineCapability[];
  readonly leastMemoryMb?: number;
  readonly ownMemoryMb?: number;
  /** Output that an exec may be ahead of the acknowledgements. Default 1 MiB. */
  readonly spoolBytes?: number;
  /** Between SIGTERM and SIGKILL. Default 5 s. */
  readonly killGraceMs?: number;
}

const defaults = { spoolBytes: 1024 * 1024, killGraceMs: 5_000 };
const capabilities: readonly EngineCapability[] = ["exec-resume", "binary-output", "tty", "prepared-boxes"];

/**
 * The engine port, kept in memory: for fast tests of the core and the server, and for nothing else. There is no VM and no isolation;
 * programs are JavaScript functions.
 */
export function createMemoryEngine(options: MemoryEngineOptions = {}): MemoryEngine {
  return new MemoryEngine(options);
}

export class MemoryEngine implements Engine {
  readonly name: string;
  readonly host: MemoryHost;
  readonly controls = new MemoryControls();
  readonly #options: MemoryEngineOptions;
  readonly #programs: ReadonlyMap<string, Program>;
  /** Boxes that this engine created, started or adopted. */
  readonly #ours = new Set<string>();
  /** Boxes that nobody has asked for yet. */
  readonly #prepared = new Map<
    string,
    { readonly spec: BoxSpec; readonly box: MemoryBox; readonly onEnd: () => void }
  >();
  readonly #deathListeners = new Set<(death: BoxDeath) => void>();
  readonly #impairments = new Map<string, string>();
  readonly #impairmentListeners = new Set<(boxId: string) => void>();
  readonly #closed = new AbortController();
  readonly #stopListening: () => void;

  constructor(options: MemoryEngineOptions) {
    this.#options = options;
    this.name = options.name ?? "memory";
    this.host = options.host ?? new MemoryHost();
    this.#programs = new Map(Object.entries({ ...builtinPrograms, ...options.programs }));
    this.#stopListening = this.host.onDeath((death) => {
      if (this.#ours.has(death.boxId)) for (const listener of this.#deathListeners) listener(death);
      const prepared = this.#prepared.get(death.boxId);
      if (prepared !== undefined) {
        this.#prepared.delete(death.boxId);
        this.host.boxes.delete(death.boxId);
        prepared.onEnd();
      }
    });
  }

  /** For tests: something of the box does not work from now on, or all does again. */
  impair(boxId: string, why: string | undefined): void {
    if (why === undefined) this.#impairments.delete(boxId);
    else this.#impairments.set(boxId, why);
    for (const listener of this.#impairmentListeners) listener(boxId);
  }

  impairment(boxId: string): string | undefined {
    return this.#impairments.get(boxId);
  }

  onImpairment(listener: (boxId: string) => void): () => void {
    this.#impairmentListeners.add(listener);
    return () => this.#impairmentListeners.delete(listener);
  }

  async describe(): Promise<EngineDescription> {
    return {
      accelerator: "none",
      ready: this.#options.notReady === undefined,
      why: this.#options.notReady ?? "for tests: nothing here is a virtual machine",
      capabilities: this.#options.capabilities ?? capabilities,
      ...(this.#options.leastMemoryMb === undefined ? {} : { leastMemoryMb: this.#options.leastMemoryMb }),
      ...(this.#options.ownMemoryMb === undefined ? {} : { ownMemoryMb: this.#options.ownMemoryMb }),
    };
  }

  async prepare(spec: BoxSpec, { signal, onEnd }: PrepareOptions): Promise<void> {
    try {
      await this.controls.enter("prepare", signal);
      await nextTurn();
      signal.throwIfAborted();
    } catch (error) {
      throw givenUp(error, signal, `Box ${spec.id} was given up before it was prepared`);
    }
    const box = this.#newBox(spec);
    box.state = "running";
    this.host.boxes.set(spec.id, box);
    this.#prepared.set(spec.id, { spec, box, onEnd });
  }

  async create(spec: BoxSpec, { signal, onEngineId }: CreateOptions): Promise<void> {
    const prepared = this.#prepared.get(spec.id);
    this.#prepared.delete(spec.id);
    if (prepared !== undefined) this.host.boxes.delete(spec.id);
    if (this.host.boxes.has(spec.id)) throw new BoxRunError("RUNTIME_ERROR", `Box ${spec.id} is there already`);
    signal.throwIfAborted();
    const box = this.#newBox(
      spec,
      prepared !== undefined && isAlike(prepared.spec, spec) ? prepared.box.engineId : undefined,
    );
    this.host.boxes.set(spec.id, box);
    this.#ours.add(spec.id);
    const given = AbortSignal.any([signal, box.removed.signal]);
    try {
      onEngineId(box.engineId);
      await this.controls.enter("create", given);
      await nextTurn();
      given.throwIfAborted();
      box.state = "running";
    } catch (error) {
      if (this.host.boxes.get(spec.id) === box) this.host.boxes.delete(spec.id);
      throw givenUp(error, given, `Box ${spec.id} was given up before it was up`);
    }
  }

  async start(spec: BoxSpec, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    try {
      await this.controls.enter("start", signal);
      const box = this.host.boxes.get(spec.id);
      if (box === undefined) throw new BoxRunError("RUNTIME_ERROR", `Box ${spec.id} has no disk here`);
      this.#ours.add(spec.id);
      box.note = spec.note;
      await nextTurn();
      signal.throwIfAborted();
      if (box.state !== "creating" && this.host.boxes.has(spec.id)) box.state = "running";
    } catch (error) {
      throw givenUp(error, signal, `The start of box ${spec.id} was given up`);
    }
  }

  async stop(boxId: string, options?: { readonly graceMs: number }): Promise<StopReport> {
    this.controls.graceMs = options?.graceMs;
    await this.controls.enter("stop");
    const box = this.host.boxes.get(boxId);
    if (box === undefined || box.state === "creating") return { killed: [], forced: false };
    const stubborn = [...box.execs.values()].filter(({ ignoresEnds, hasEnded }) => ignoresEnds && !hasEnded);
    const killed = stubborn.map(({ spec }, index) => ({ pid: index + 2, name: spec.cmd[0] ?? "" }));
    box.state = "stopped";
    box.loseExecs("the box was stopped");
    return { killed, forced: box.silence.aborted };
  }

  async readDisk<T>(spec: BoxSpec, { signal }: TransferOptions, take: (tar: Readable) => Promise<T>): Promise<T> {
    await this.controls.enter("readDisk", signal);
    const box = this.host.boxes.get(spec.id);
    if (box === undefined) throw new BoxRunError("RUNTIME_ERROR", `Box ${spec.id} has no disk here`);
    if (box.state === "running") throw new BoxRunError("BOX_ALREADY_RUNNING", `Box ${spec.id} is running`);
    return await take(archive("/", box.files.get("/")));
  }

  async remove(boxId: string): Promise<void> {
    await this.controls.enter("remove");
    const box = this.host.boxes.get(boxId);
    if (box === undefined) return;
    this.host.boxes.delete(boxId);
    this.#ours.delete(boxId);
    this.#prepared.delete(boxId);
    box.state = "stopped";
    box.removed.abort();
    box.loseExecs("the box was removed");
  }

  async adopt(spec: BoxSpec, { signal }: { readonly signal: AbortSignal }): Promise<Adoption> {
    await this.controls.enter("adopt", signal, spec.id);
    const box = this.host.boxes.get(spec.id);
    if (box === undefined) return { state: "missing" };
    if (box.state !== "running") return { state: "dead" };
    if (box.silence.aborted) return { state: "unreachable", why: box.silence.reason.message };
    this.#ours.add(spec.id);
    return { state: "running" };
  }

  async listBoxes(): Promise<readonly string[]> {
    return [...this.host.boxes.keys()];
  }

  async recall(boxId: string): Promise<string | undefined> {
    return this.host.boxes.get(boxId)?.note;
  }

  onDeath(listener: (death: BoxDeath) => void): () => void {
    this.#deathListeners.add(listener);
    return () => this.#deathListeners.delete(listener);
  }

  async exec(boxId: string, spec: ExecSpec): Promise<EngineExec> {
    await this.controls.enter("exec");
    const box = this.#running(boxId);
    const process = box.exec(spec);
    return process.open({ stdout: 0, stderr: 0 }, this.#broken(box), () => box.execs.delete(spec.id));
  }

  async resumeExec(boxId: string, execId: string, from: OutputOffsets): Promise<EngineExec | undefined> {
    await this.controls.enter("resumeExec");
    const offered = this.#options.capabilities ?? capabilities;
    if (!offered.includes("exec-resume")) return undefined;
    const box = this.#running(boxId);
    return box.execs.get(execId)?.open(from, this.#broken(box), () => box.execs.delete(execId));
  }

  async writeFile(boxId: string, path: string, content: Readable, options: WriteOptions): Promise<void> {
    const { signal } = options;
    await this.controls.enter("writeFile", signal);
    const { files } = this.#running(boxId);
    const ownership = new Ownership(options.owner);
    files.checkPut(path, ownership.parents);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of abortable(content, signal)) chunks.push(Buffer.from(chunk));
    } catch (error) {
      throw givenUp(error, signal, `The upload to ${path} was given up`);
    }
    const disk = this.#running(boxId).files;
    const old = disk.find(path);
    const owner = ownership.of({ uid: old?.uid ?? 0, gid: old?.gid ?? 0 }, old);
    this.#running(boxId).watches.tell(old === undefined ? "created" : "changed", path, false);
    disk.put(path, { ...newFile(Buffer.concat(chunks)), ...owner }, ownership.parents);
  }

  async readFile(boxId: string, path: string, { signal }: TransferOptions): Promise<FileContent> {
    await this.controls.enter("readFile", signal);
    const node = this.#running(boxId).files.get(path);
    if (node.type !== "file") throw new BoxRunError("VALIDATION_ERROR", `${path} is not a regular file`);
    return { size: node.content.length, content: Readable.from(pieces(node.content), { objectMode: false, signal }) };
  }

  async writeArchive(boxId: string, directory: string, tar: Readable, options: WriteOptions): Promise<void> {
    const { signal, owner } = options;
    await this.controls.enter("writeArchive", signal);
    await unpack(this.#running(boxId).files, directory, tar, new Ownership(owner), signal);
  }

  async readArchive(boxId: string, path: string, { signal }: TransferOptions): Promise<Readable> {
    await this.controls.enter("readArchive", signal);
    return archive(path, this.#running(boxId).files.get(path));
  }

  async *listFiles(boxId: string, path: string, { signal }: TransferOptions): AsyncGenerator<FileEntry> {
    await this.controls.enter("listFiles", signal);
    for (const entry of this.#running(boxId).files.list(path)) {
      signal.throwIfAborted();
      yield entry;
    }
  }

  async statFile(boxId: string, path: string, options: { readonly follow: boolean }): Promise<FileEntry> {
    await this.controls.enter("statFile");
    return this.#running(boxId).files.stat(path, options);
  }

  async makeDirectory(boxId: string, path: string, { parents, owner }: MakeDirectoryOptions): Promise<void> {
    await this.controls.enter("makeDirectory");
    const { files, watches } = this.#running(boxId);
    const isNew = files.find(path) === undefined;
    const whose = new Ownership(owner).parents;
    if (parents) files.makeDir(path, whose);
    else files.makeOneDir(path, whose);
    if (isNew) watches.tell("created", path, true);
  }

  async renameFile(boxId: string, path: string, to: string, { replace }: RenameOptions): Promise<void> {
    await this.controls.enter("renameFile");
    const { files, watches } = this.#running(boxId);
    files.rename(path, to, replace);
    watches.tellRenamed(path, to, files.get(to, { follow: false }).type === "dir");
  }

  async watchFiles(boxId: string, path: string, options: WatchOptions) {
    await this.controls.enter("watchFiles", options.signal);
    const { files, watches } = this.#running(boxId);
    files.get(path);
    return watches.open(path, options);
  }

  async removeFile(boxId: string, path: string): Promise<void> {
    await this.controls.enter("removeFile");
    const { files, watches } = this.#running(boxId);
    const isDir = files.get(path, { follow: false }).type === "dir";
    files.remove(path);
    watches.tell("removed", path, isDir);
  }

  async connect(boxId: string, port: number, { signal }: TransferOptions): Promise<Duplex> {
    await this.controls.enter("connect", signal);
    return this.#running(boxId).ports.connect(port, signal);
  }

  async listPorts(boxId: string): Promise<readonly ListeningPort[]> {
    return this.#running(boxId).ports.list();
  }

  async usage(boxId: string, { guest }: UsageOptions): Promise<BoxUsage> {
    await this.controls.enter("usage");
    const box = this.host.boxes.get(boxId);
    if (box?.state !== "running" || !this.#ours.has(boxId)) {
      throw new BoxRunError("BOX_NOT_RUNNING", `Box ${boxId} is not running`);
    }
    return box.usage(guest);
  }

  async reclaimMemory(boxId: string): Promise<void> {
    await this.controls.enter("reclaimMemory");
    this.#running(boxId).reclaimed += 1;
  }

  async forgetImage(): Promise<void> {
    await this.controls.enter("forgetImage");
  }

  async close(): Promise<void> {
    this.#stopListening();
    this.#closed.abort(new BoxRunError("CANCELED", "The engine was closed; the box and its execs run on"));
  }

  #newBox(spec: BoxSpec, engineId = this.host.nextEngineId()): MemoryBox {
    return new MemoryBox(spec, engineId, this.#programs, { ...defaults, ...limits(this.#options) });
  }

  #running(boxId: string): MemoryBox {
    const box = this.host.boxes.get(boxId);
    if (box?.state !== "running" || !this.#ours.has(boxId)) {
      throw new BoxRunError("BOX_NOT_RUNNING", `Box ${boxId} is not running`);
    }
    box.silence.throwIfAborted();
    return box;
  }

  /** Aborts when this engine can't have more of the box. */
  #broken(box: MemoryBox): AbortSignal {
    return AbortSignal.any([this.#closed.signal, box.silence]);
  }
}

function limits({ spoolBytes, killGraceMs }: MemoryEngineOptions) {
  return { ...(spoolBytes === undefined ? {} : { spoolBytes }), ...(killGraceMs === undefined ? {} : { killGraceMs }) };
}

function givenUp(error: unknown, signal: AbortSignal, message: string): unknown {
  if (!signal.aborted) {
    return error instanceof BoxRunError ? error : new BoxRunError("RUNTIME_ERROR", String(error), { cause: error });
  }
  return signal.reason instanceof BoxRunError ? signal.reason : new BoxRunError("CANCELED", message, { cause: error });
}

/** Ends with an error when the signal aborts, also while the stream has nothing to say. */
async function* abortable(content: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  const end = () => content.destroy(new Error("given up"));
  signal.addEventListener("abort", end);
  try {
    if (signal.aborted) end();
    yield* content;
  } finally {
    signal.removeEventListener("abort", end);
  }
}

function* pieces(content: Buffer): Generator<Buffer> {
  for (let at = 0; at < content.length; at += 64 * 1024) yield content.subarray(at, at + 64 * 1024);
}
