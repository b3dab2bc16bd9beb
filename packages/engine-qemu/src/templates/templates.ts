import { closeSync, openSync } from "node:fs";
import { rm } from "node:fs/promises";
import { BoxRunError } from "@boxrun/contract";
import { type Logger, SharedTasks, unlessAborted } from "@boxrun/core";
import type { KeptVm } from "../vm/cold-boot.ts";
import { readyKey, templateKey } from "./key.ts";
import { makeTemplate, type TemplatePlan } from "./make.ts";
import { type BoxContents, makeReadyTemplate } from "./make-ready.ts";
import { closeTemplate, type OpenTemplate, openTemplate } from "./open.ts";
import { TemplateStore } from "./store.ts";

/** How many templates' memory is held at a time, some 80 MB each; the others are read from the disk again when they are wanted. */
const maxHeld = 4;

/** So often a template of a shape is tried to be made by one server. */
const maxFailures = 3;
/** So often in a row it may be late. */
const maxDelays = 3;

/** A template that is about to be resumed from. Its end leaves the memory to whoever has mapped it. */
export interface Template extends Disposable {
  readonly key: string;
  readonly identity: string;
  readonly kept: KeptVm & { readonly use: "resume" };
  /** An open file: the disk that goes with it, of which each box gets a copy. `undefined`: its VM takes any. */
  readonly disk: number | undefined;
}

interface Made {
  readonly key: string;
  readonly shape: TemplatePlan["shape"];
  /** For the log. */
  readonly what: string;
}

/**
 * VMs that have booted and are nobody's box yet, from which boxes are resumed in a fraction of the time that a boot takes. Their memory is shared by all that come
 * from one until they write to it. There are two kinds: a bare one of each shape, from which any box goes on, and one that is ready, with an image and a new disk of some size
 * mounted, for boxes that are new.
 */
export class Templates {
  readonly #store: TemplateStore;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  /** By key, the one used last at the end. */
  readonly #held = new Map<string, OpenTemplate>();
  readonly #opening = new SharedTasks<void>();
  /** How often in a row one could not be made, or was late. */
  readonly #failures = new Counter();
  readonly #delays = new Counter();
  /** Resolves with why it came to nothing, if it did. */
  readonly #underWay = new Map<string, Promise<unknown>>();
  /** The key of the one that is being made now. */
  #making: string | undefined;
  /** One is made at a time: it is all CPU. */
  #last: Promise<unknown>;

  constructor(options: { readonly cacheDir: string; readonly limitBytes: number; readonly logger: Logger }) {
    this.#store = new TemplateStore(options.cacheDir, options.limitBytes);
    this.#logger = options.logger;
    this.#last = this.#store.clearLeftovers().catch((error: unknown) => {
      this.#logger.warn({ err: error }, "what is left of templates that were being made could not be cleared away");
    });
  }

  /** The template of this shape; `undefined` if there is none that can be opened. */
  async take(plan: TemplatePlan): Promise<Template | undefined> {
    return await this.#take(await templateKey(plan.shape, plan.qemu), plan.hostHelper);
  }

  /** The template of this shape in which a new box with these contents is ready; `undefined` if there is none that can be opened. */
  async takeReady(plan: TemplatePlan, contents: BoxContents): Promise<Template | undefined> {
    return await this.#take(readyKey(await templateKey(plan.shape, plan.qemu), contents), plan.hostHelper);
  }

  /** As `take`, of a template that is being made: it is there sooner than a box has booted beside it. `undefined` if none of this shape is, or it came to nothing. */
  async takeSoon(plan: TemplatePlan, signal: AbortSignal): Promise<Template | undefined> {
    const key = await templateKey(plan.shape, plan.qemu);
    const done = this.#making === key ? this.#underWay.get(key) : undefined;
    if (done === undefined) return undefined;
    await unlessAborted(done, signal);
    return await this.#take(key, plan.hostHelper);
  }

  /** Begins to make the bare template of this shape, if there is none; `take` has it when it is there. */
  async want(plan: TemplatePlan): Promise<void> {
    const key = await templateKey(plan.shape, plan.qemu);
    await this.#want({ key, shape: plan.shape, what: "boxes of this shape" }, (scratch, signal) =>
      makeTemplate(plan, scratch, signal),
    );
  }

  /** Begins to make the one for new boxes with these contents, if there is none and there is a bare one. */
  async wantReady(plan: TemplatePlan, contents: BoxContents): Promise<void> {
    const key = readyKey(await templateKey(plan.shape, plan.qemu), contents);
    await this.#want({ key, shape: plan.shape, what: "new boxes of this shape and image" }, async (scratch, signal) => {
      using bare = await this.take(plan);
      if (bare === undefined) throw new BoxRunError("RUNTIME_ERROR", "there is no template of the shape any more");
      await makeReadyTemplate(plan, contents, bare.kept, scratch, signal);
    });
  }

  /** Makes both, if they are not there; resolves when they are, with whether one was missing. Rejects with the reason why one can't be made. */
  async complete(plan: TemplatePlan, contents: BoxContents, signal: AbortSignal): Promise<boolean> {
    const key = await templateKey(plan.shape, plan.qemu);
    const isMade = await this.#complete(key, () => this.want(plan), signal);
    return (await this.#complete(readyKey(key, contents), () => this.wantReady(plan, contents), signal)) || isMade;
  }

  async #complete(key: string, want: () => Promise<void>, signal: AbortSignal): Promise<boolean> {
    if (await this.#store.has(key)) return false;
    await want();
    const failure = await unlessAborted(this.#underWay.get(key) ?? Promise.resolve(undefined), signal);
    if (failure !== undefined) throw failure;
    if (await this.#store.has(key)) return true;
    throw new BoxRunError("RUNTIME_ERROR", "the template was tried in vain before, or is gone again");
  }

  /** A box was resumed from it. */
  worked(key: string): void {
    this.#delays.reset(key);
  }

  /** A box could not be resumed from it, and has come up without. One that was only late is kept, unless it is again and again. */
  async failed(
    { key, identity }: Pick<Template, "key" | "identity">,
    error: unknown,
    { isLate }: { readonly isLate: boolean },
  ): Promise<void> {
    if (isLate && this.#delays.add(key) < maxDelays) {
      this.#logger.warn({ template: key, err: error }, "a box was late from its template, and has booted instead");
      return;
    }
    await this.#drop(key, identity, error);
  }

  /** One that can't be used is removed; the next box of its shape has it made anew. */
  async #drop(key: string, identity: string, error: unknown): Promise<void> {
    this.#delays.reset(key);
    this.#logger.warn({ template: key, err: error }, "a template can't be used; it is dropped");
    const held = this.#held.get(key);
    if (held?.identity === identity) {
      this.#held.delete(key);
      await closeTemplate(held);
    }
    await this.#store.remove(key, identity).catch(() => undefined);
  }

  /** Gives up what is being made. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#last;
    for (const held of this.#held.values()) await closeTemplate(held);
    this.#held.clear();
  }

  async #take(key: string, hostHelper: string): Promise<Template | undefined> {
    let identity: string | undefined;
    try {
      if (!this.#held.has(key)) {
        identity = await this.#store.identity(key);
        if (identity === undefined) return undefined;
        const found = identity;
        await this.#opening.join(key, { signal: this.#closing.signal }, () => this.#open(key, found, hostHelper));
      }
      // What is held is good also if another server has made room of it.
      await this.#store.touch(key).catch(() => undefined);
      return this.#lend(key);
    } catch (error) {
      if (!this.#closing.signal.aborted && identity !== undefined) await this.#drop(key, identity, error);
      return undefined;
    }
  }

  async #want(made: Made, make: (scratch: string, signal: AbortSignal) => Promise<void>): Promise<void> {
    const { key } = made;
    const isNeeded = !this.#closing.signal.aborted && this.#failures.of(key) < maxFailures && !this.#underWay.has(key);
    if (!isNeeded || (await this.#store.has(key)) || this.#underWay.has(key)) return;
    const done = this.#last.then(() => this.#make(made, make)).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, done);
    this.#last = done;
  }

  async #open(key: string, identity: string, hostHelper: string): Promise<void> {
    this.#held.set(key, await openTemplate(this.#store, key, identity, hostHelper));
    const [oldest] = this.#held;
    if (this.#held.size <= maxHeld || oldest === undefined) return;
    this.#held.delete(oldest[0]);
    await closeTemplate(oldest[1]);
  }

  /** Opened once more, and at once: what is held may be closed, and its descriptor another file's, before the box has it. */
  #lend(key: string): Template | undefined {
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    this.#held.delete(key);
    this.#held.set(key, held);
    const memory = openSync(`/proc/self/fd/${held.memory.fd}`, "r");
    const disk = held.disk === undefined ? undefined : openSync(`/proc/self/fd/${held.disk.fd}`, "r");
    return {
      key,
      identity: held.identity,
      kept: { use: "resume", memory, state: held.state },
      disk,
      [Symbol.dispose]: () => {
        closeSync(memory);
        if (disk !== undefined) closeSync(disk);
      },
    };
  }

  async #make(
    { key, shape, what }: Made,
    make: (scratch: string, signal: AbortSignal) => Promise<void>,
  ): Promise<unknown> {
    const { signal } = this.#closing;
    let scratch: string | undefined;
    this.#making = key;
    try {
      signal.throwIfAborted();
      scratch = await this.#store.scratch();
      await make(scratch, signal);
      await this.#store.keep(scratch, key);
      this.#failures.reset(key);
      const { cpu, memoryMb } = shape;
      this.#logger.info({ template: key, cpu, memoryMb }, `${what} start from a template from now on`);
      return undefined;
    } catch (error) {
      if (scratch !== undefined) await rm(scratch, { recursive: true, force: true }).catch(() => undefined);
      if (signal.aborted) return error;
      this.#failures.add(key);
      this.#logger.warn({ template: key, err: error }, `no template could be made for ${what}`);
      return error;
    } finally {
      this.#making = undefined;
    }
  }
}

class Counter {
  readonly #counts = new Map<string, number>();

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  /** How often by now. */
  add(key: string): number {
    const count = this.of(key) + 1;
    this.#counts.set(key, count);
    return count;
  }

  reset(key: string): void {
    this.#counts.delete(key);
  }
}
