import type { Readable } from "node:stream";
import { BoxRunError } from "@boxrun/contract";
import type {
  BoxDeath,
  BoxSpec,
  BoxUsage,
  CreateOptions,
  Engine,
  EngineDescription,
  ExecSpec,
  MakeDirectoryOptions,
  OutputOffsets,
  PrepareOptions,
  RenameOptions,
  TransferOptions,
  UsageOptions,
  WatchOptions,
  WriteOptions,
} from "./ports/engine.ts";
import type { Logger } from "./ports/logger.ts";
import type { BoxRecord, Store } from "./ports/store.ts";

/** What there is for boxes that another engine than the chosen one has made. */
export interface OtherEngines {
  readonly wired: readonly Engine[];
  /** By name, those that made boxes of this store and can't be had here, and why, for a person. */
  readonly missing: ReadonlyMap<string, string>;
  /** Deletes what can be found of a box without its engine; returns the paths that it deleted. */
  readonly discard: (box: Pick<BoxRecord, "id" | "engineId">) => Promise<readonly string[]>;
}

export const noOtherEngines: OtherEngines = { wired: [], missing: new Map(), discard: async () => [] };

interface Parts {
  /** Makes the new boxes. */
  readonly chosen: Engine;
  readonly others: OtherEngines;
  readonly store: Store;
  readonly logger: Logger;
}

/**
 * Several engines behind the one port: a new box is made by the chosen engine, and whatever concerns a box goes to the engine that made
 * it, for as long as that one is here. A box whose engine is not stays in the list, says so, and can be removed.
 */
export class Engines implements Engine {
  /** The chosen one's, if it can. */
  readonly prepare?: (spec: BoxSpec, options: PrepareOptions) => Promise<void>;
  readonly #parts: Parts;
  readonly #wired: ReadonlyMap<string, Engine>;
  /** Those that made the boxes, as far as they were asked for: a box's never changes. */
  readonly #makers = new Map<string, Engine>();
  /** Why wired engines don't work, by name. Never the chosen one, whose boxes say so when they are started. */
  readonly #broken = new Map<string, string>();

  constructor(parts: Parts) {
    this.#parts = parts;
    const { chosen } = parts;
    if (chosen.prepare !== undefined) this.prepare = async (spec, options) => await chosen.prepare?.(spec, options);
    this.#wired = new Map([...parts.others.wired, parts.chosen].map((engine) => [engine.name, engine]));
  }

  get name(): string {
    return this.#parts.chosen.name;
  }

  /** Asks the other engines whether they work here. Once, before `trouble` is. */
  async examine(): Promise<void> {
    await Promise.all(this.#parts.others.wired.map((engine) => this.#examine(engine)));
  }

  /** Whether its engine is wired, ready or not. */
  has(box: BoxRecord): boolean {
    return this.#wired.has(box.engine);
  }

  /** Spares reading the store for a box whose record is at hand. */
  recognize(box: Pick<BoxRecord, "id" | "engine">): void {
    const engine = this.#wired.get(box.engine);
    if (engine !== undefined) this.#makers.set(box.id, engine);
  }

  /** Why a box can't be used, if that is because of its engine; the end of a sentence that begins with the box. */
  trouble({ engine: name }: Pick<BoxRecord, "engine">): string | undefined {
    const broken = this.#broken.get(name);
    if (broken !== undefined) return `was made by the ${name} engine, which does not work here: ${broken}`;
    if (this.#wired.has(name)) return undefined;
    const why = this.#parts.others.missing.get(name) ?? "there is no engine of this name";
    return `was made by the ${name} engine, which this server does not have: ${why}`;
  }

  /** The box, with what `trouble` says of its engine in its message if it does not run. */
  told(box: BoxRecord): BoxRecord {
    const trouble = box.status === "running" ? undefined : this.trouble(box);
    if (trouble === undefined) return box;
    const last = box.errorMessage === null ? "" : ` Its last error: ${box.errorMessage}`;
    const message = `This box ${trouble}. It can still be removed.${last}`;
    return { ...box, errorCode: box.errorCode ?? "RUNTIME_ERROR", errorMessage: message };
  }

  /** RUNTIME_ERROR if the box's engine is not the chosen one and does not work here (any more, or yet). */
  async requireUsable(box: BoxRecord): Promise<void> {
    const engine = this.#wired.get(box.engine);
    if (engine === this.#parts.chosen) return;
    if (engine !== undefined) await this.#examine(engine);
    const trouble = this.trouble(box);
    if (trouble !== undefined) throw new BoxRunError("RUNTIME_ERROR", `Cannot start box ${nameOf(box)}: it ${trouble}`);
  }

  /** Destroys everything of a box. Where its engine can't, `force` deletes what is found without it; else RUNTIME_ERROR. */
  async destroy(box: BoxRecord, options: { readonly force: boolean }): Promise<void> {
    try {
      await this.remove(box.id);
    } catch (error) {
      const trouble = this.trouble(box);
      if (trouble === undefined) throw error;
      if (!options.force) {
        const reason =
          this.has(box) && error instanceof Error ? `${error.message}; the box ${trouble}` : `it ${trouble}`;
        throw new BoxRunError(
          "RUNTIME_ERROR",
          `Cannot destroy the disk of box ${nameOf(box)}: ${reason}. Remove it by force to forget the box: that deletes what is found ` +
            "of it in the state directory; what its engine keeps elsewhere stays, and so does its VM if it still runs.",
          { cause: error },
        );
      }
      const deleted = await this.#parts.others.discard(box);
      this.#parts.logger.warn(
        { box_id: box.id, engine: box.engine, err: error, deleted },
        "box removed without its engine",
      );
    }
  }

  describe(): Promise<EngineDescription> {
    return this.#parts.chosen.describe();
  }

  async create(spec: BoxSpec, options: CreateOptions): Promise<void> {
    await this.#of(spec.id).create(spec, options);
  }

  async start(spec: BoxSpec, options: { readonly signal: AbortSignal }): Promise<void> {
    await this.#of(spec.id).start(spec, options);
  }

  async stop(boxId: string, options?: { readonly graceMs: number }) {
    return await this.#of(boxId).stop(boxId, options);
  }

  async readDisk<T>(spec: BoxSpec, options: TransferOptions, take: (tar: Readable) => Promise<T>): Promise<T> {
    return await this.#of(spec.id).readDisk(spec, options, take);
  }

  async remove(boxId: string): Promise<void> {
    await this.#of(boxId).remove(boxId);
    this.#makers.delete(boxId);
  }

  async adopt(spec: BoxSpec, options: { readonly signal: AbortSignal }) {
    return await this.#of(spec.id).adopt(spec, options);
  }

  async listBoxes(): Promise<readonly string[]> {
    return (await Promise.all(this.#all().map((engine) => engine.listBoxes()))).flat();
  }

  impairment(boxId: string): string | undefined {
    return this.#makers.get(boxId)?.impairment?.(boxId);
  }

  onImpairment(listener: (boxId: string) => void): () => void {
    const unsubscribe = this.#all().map((engine) => engine.onImpairment?.(listener));
    return () => {
      for (const stop of unsubscribe) stop?.();
    };
  }

  async recall(boxId: string) {
    return await this.#of(boxId).recall(boxId);
  }

  /** Every box that a wired engine has anything of, and which engine. */
  async everything(): Promise<{ readonly id: string; readonly engine: string }[]> {
    const lists = this.#all().map(async (engine) =>
      (await engine.listBoxes()).map((id) => ({ id, engine: engine.name })),
    );
    return (await Promise.all(lists)).flat();
  }

  onDeath(listener: (death: BoxDeath) => void): () => void {
    const unsubscribe = this.#all().map((engine) => engine.onDeath(listener));
    return () => {
      for (const stop of unsubscribe) stop();
    };
  }

  async exec(boxId: string, spec: ExecSpec) {
    return await this.#of(boxId).exec(boxId, spec);
  }

  async resumeExec(boxId: string, execId: string, from: OutputOffsets) {
    return await this.#of(boxId).resumeExec(boxId, execId, from);
  }

  async writeFile(boxId: string, path: string, content: Readable, options: WriteOptions): Promise<void> {
    await this.#of(boxId).writeFile(boxId, path, content, options);
  }

  async readFile(boxId: string, path: string, options: TransferOptions) {
    return await this.#of(boxId).readFile(boxId, path, options);
  }

  async writeArchive(boxId: string, directory: string, tar: Readable, options: WriteOptions): Promise<void> {
    await this.#of(boxId).writeArchive(boxId, directory, tar, options);
  }

  async readArchive(boxId: string, path: string, options: TransferOptions & { readonly full?: boolean }) {
    return await this.#of(boxId).readArchive(boxId, path, options);
  }

  async *listFiles(boxId: string, path: string, options: TransferOptions) {
    yield* this.#of(boxId).listFiles(boxId, path, options);
  }

  async statFile(boxId: string, path: string, options: { readonly follow: boolean }) {
    return await this.#of(boxId).statFile(boxId, path, options);
  }

  async makeDirectory(boxId: string, path: string, options: MakeDirectoryOptions): Promise<void> {
    await this.#of(boxId).makeDirectory(boxId, path, options);
  }

  async renameFile(boxId: string, path: string, to: string, options: RenameOptions): Promise<void> {
    await this.#of(boxId).renameFile(boxId, path, to, options);
  }

  async watchFiles(boxId: string, path: string, options: WatchOptions) {
    return await this.#of(boxId).watchFiles(boxId, path, options);
  }

  async removeFile(boxId: string, path: string): Promise<void> {
    await this.#of(boxId).removeFile(boxId, path);
  }

  async connect(boxId: string, port: number, options: TransferOptions) {
    return await this.#of(boxId).connect(boxId, port, options);
  }

  async listPorts(boxId: string) {
    return await this.#of(boxId).listPorts(boxId);
  }

  async usage(boxId: string, options: UsageOptions): Promise<BoxUsage> {
    const read = await this.#of(boxId).usage?.(boxId, options);
    if (read === undefined) throw new BoxRunError("NOT_SUPPORTED", "The box's engine does not tell what boxes use");
    return read;
  }

  async reclaimMemory(boxId: string): Promise<void> {
    await this.#of(boxId).reclaimMemory?.(boxId);
  }

  async forgetImage(digest: string): Promise<void> {
    await Promise.all(this.#all().map((engine) => engine.forgetImage(digest)));
  }

  /** Closes every engine, also if one fails to. */
  async close(): Promise<void> {
    const results = await Promise.allSettled(this.#all().map((engine) => engine.close()));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  #all(): Engine[] {
    return [...this.#wired.values()];
  }

  /** The engine that made the box; RUNTIME_ERROR if it is not here. A box that has no record yet, or no more, is the chosen one's. */
  #of(boxId: string): Engine {
    const known = this.#makers.get(boxId);
    if (known !== undefined) return known;
    const box = this.#parts.store.boxes.get(boxId);
    const name = box?.engine ?? this.name;
    const engine = this.#wired.get(name);
    if (engine !== undefined) {
      if (box !== undefined) this.#makers.set(boxId, engine);
      return engine;
    }
    throw new BoxRunError("RUNTIME_ERROR", `Box ${boxId} ${this.trouble({ engine: name })}`);
  }

  async #examine(engine: Engine): Promise<void> {
    const { ready, why } = await engine.describe();
    if (ready) this.#broken.delete(engine.name);
    else this.#broken.set(engine.name, why);
  }
}

function nameOf(box: BoxRecord): string {
  return box.name ?? box.id;
}

/** The store, with every box as it is `told`. Nothing of that is written. */
export function withEngineTrouble(store: Store, engines: Pick<Engines, "told">): Store {
  const told = (box: BoxRecord) => engines.told(box);
  const toldIfThere = (box: BoxRecord | undefined) => box && told(box);
  const { boxes } = store;
  return {
    ...store,
    boxes: {
      insert: (box, key) => boxes.insert(box, key),
      delete: (id) => boxes.delete(id),
      get: (id) => toldIfThere(boxes.get(id)),
      getByName: (name) => toldIfThere(boxes.getByName(name)),
      startingWith: (prefix) => boxes.startingWith(prefix).map(told),
      list: (status, page, labels) => boxes.list(status, page, labels).map(told),
      expiring: () => boxes.expiring(),
      cursor: (id) => boxes.cursor(id),
      count: () => boxes.count(),
      update: (id, patch) => toldIfThere(boxes.update(id, patch)),
    },
  };
}
