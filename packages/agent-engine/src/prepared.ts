import {
  type BoxSpec,
  type CreateOptions,
  isAlike,
  type KeyedLock,
  type Logger,
  type PrepareOptions,
} from "@boxrun/core";
import { bringUp } from "./bring-up.ts";
import type { Machine, PreparedMachine, VmProvider } from "./provider.ts";

/** A VM that answers takes a fraction of it; one that does not is given up, and its box made from the beginning. */
const claimLimitMs = 10_000;

interface Waiting {
  readonly spec: BoxSpec;
  readonly engineId: string;
  readonly machine: PreparedMachine;
}

/** VMs that are up and wait for the box that they become, by its id. Whoever calls has the box's lock. */
export class Prepared {
  readonly #provider: VmProvider;
  readonly #logger: Logger;
  readonly #lock: KeyedLock;
  readonly #waiting = new Map<string, Waiting>();

  constructor(provider: VmProvider, logger: Logger, lock: KeyedLock) {
    this.#provider = provider;
    this.#logger = logger;
    this.#lock = lock;
  }

  async prepare(spec: BoxSpec, { signal, onEnd }: PrepareOptions): Promise<void> {
    const prepare = this.#provider.prepare?.bind(this.#provider);
    if (prepare === undefined) throw new Error("this engine prepares no boxes");
    let engineId = spec.id;
    const onEngineId = (id: string) => {
      engineId = id;
    };
    const machine = await bringUp(this.#provider, spec, { signal, onEngineId }, () => prepare(spec, signal));
    const waiting: Waiting = { spec, engineId, machine };
    this.#waiting.set(spec.id, waiting);
    void waiting.machine.guestEnd.then(() => this.#ended(waiting, onEnd));
  }

  /** The VM that waits for this box, made into it; `undefined`, and nothing of it is left, if there is none that can be. */
  async claim(spec: BoxSpec, { signal, onEngineId }: CreateOptions): Promise<Machine | undefined> {
    const waiting = this.#waiting.get(spec.id);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(spec.id);
    const { machine, engineId } = waiting;
    const ended = new AbortController();
    void machine.guestEnd.then(() => ended.abort(new Error("its VM has ended")));
    const either = AbortSignal.any([signal, ended.signal, AbortSignal.timeout(claimLimitMs)]);
    try {
      if (!isAlike(waiting.spec, spec))
        throw new Error("it is of another image or size than the box that was asked for");
      onEngineId(engineId);
      return await machine.claim(spec, either);
    } catch (error) {
      machine.letGo();
      await this.#provider.destroy(spec.id);
      signal.throwIfAborted();
      this.#logger.warn({ boxId: spec.id, err: error }, "a prepared VM could not be used; its box is made anew");
      return undefined;
    }
  }

  /** Its VM is about to be ended. */
  drop(boxId: string): void {
    this.#waiting.get(boxId)?.machine.letGo();
    this.#waiting.delete(boxId);
  }

  /** Leaves all of them running, for whoever finds them. */
  letGo(): void {
    for (const boxId of [...this.#waiting.keys()]) this.drop(boxId);
  }

  async #ended(waiting: Waiting, onEnd: () => void): Promise<void> {
    const { id } = waiting.spec;
    await this.#lock.run(id, async () => {
      if (this.#waiting.get(id) !== waiting) return;
      this.drop(id);
      try {
        await this.#provider.destroy(id);
      } catch (error) {
        this.#logger.error(
          { boxId: id, err: error },
          "what is left of a prepared VM that has ended could not be cleared away",
        );
      }
      onEnd();
    });
  }
}
