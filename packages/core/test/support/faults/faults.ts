import { setImmediate as nextTurn } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import type { Chance } from "@boxrun/engine-testkit/chance";
import type { Engine, EngineExec, Store } from "../../../src/index.ts";

/** How bad it is now. */
export class Weather {
  readonly chance: Chance;
  /** Of a call's going wrong. */
  faultProbability = 0;

  constructor(chance: Chance) {
    this.chance = chance;
  }

  isFaulty(): boolean {
    return this.chance.hits(this.faultProbability);
  }
}

/** Makes the calls of one server's store and engine fail, hang or be slow, as chance has it. */
export class Faults {
  readonly #weather: Weather;
  #waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  #abandoned = false;

  constructor(weather: Weather) {
    this.#weather = weather;
  }

  /** What hangs goes on. */
  release(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  /** The server is gone: nothing hangs for it any more. */
  abandon(): void {
    this.#abandoned = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new BoxRunError("CANCELED", "closed"));
  }

  throwSometimes(name: string): void {
    if (this.#weather.isFaulty()) throw failure(name);
  }

  /** Fails before the call or, where `mayLoseAnswer`, also after it has done its work; hangs or is slow before it. */
  async around<T>(name: string, mayLoseAnswer: boolean, call: () => Promise<T>): Promise<T> {
    if (!this.#weather.isFaulty()) return await call();
    const kind = this.#weather.chance.below(mayLoseAnswer ? 4 : 3);
    if (kind === 0) throw failure(name);
    if (kind === 1 && !this.#abandoned) {
      await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
      // The VM may be another one by now: what was asked of a box goes no further.
      if (unanswered.has(name)) throw failure(name);
    }
    if (kind === 2) for (let turns = this.#weather.chance.below(8); turns >= 0; turns -= 1) await nextTurn();
    const result = await call();
    if (kind === 3) throw failure(name, "the answer is lost");
    return result;
  }
}

/** What a box did not answer to: it may have done it, or may not. */
const unanswered: ReadonlySet<string> = new Set([
  "engine.exec",
  "engine.resumeExec",
  "exec.writeStdin",
  "exec.cancel",
  "exec.signal",
]);

function failure(name: string, how = "a fault that the test made"): BoxRunError {
  return new BoxRunError(unanswered.has(name) ? "BOX_UNREACHABLE" : "RUNTIME_ERROR", `${name}: ${how}`);
}

export function faultyStore(store: Store, faults: Faults): Store {
  const { output } = store;
  return {
    boxes: synchronous("boxes", store.boxes, faults),
    execs: synchronous("execs", store.execs, faults),
    sessions: synchronous("sessions", store.sessions, faults),
    unconfirmedEnds: synchronous("unconfirmedEnds", store.unconfirmedEnds, faults),
    images: synchronous("images", store.images, faults),
    signIns: synchronous("signIns", store.signIns, faults),
    history: store.history,
    keys: synchronous("keys", store.keys, faults),
    output: {
      append: (...args) => faults.around("output.append", false, () => output.append(...args)),
      finish: (...args) => faults.around("output.finish", false, () => output.finish(...args)),
      read: (...args) => {
        faults.throwSometimes("output.read");
        return output.read(...args);
      },
      progress: (execId) => output.progress(execId),
      totalBytes: () => output.totalBytes(),
      expire: (finishedBeforeMs) => faults.around("output.expire", false, () => output.expire(finishedBeforeMs)),
    },
    close: () => store.close(),
  };
}

/** By contract, what these leave behind when they reject is the same as if they had not been called. */
const allOrNothing: ReadonlySet<string> = new Set(["create", "start", "prepare"]);
const neverFails: ReadonlySet<string> = new Set(["onDeath", "onImpairment", "impairment", "describe", "close"]);

/** `isGone`: the server of this engine is no more, and what it still asks for reaches nothing. */
export function faultyEngine<E extends Engine>(engine: E, faults: Faults, isGone: () => boolean): E {
  return wrapped(engine, (name, call) => {
    if (neverFails.has(name)) return call();
    const asked = async () => {
      if (isGone()) throw new BoxRunError("CANCELED", "closed");
      const result = await call();
      return name === "exec" || name === "resumeExec" ? faultyExec(result, faults) : result;
    };
    return faults.around(`engine.${name}`, !allOrNothing.has(name), asked);
  });
}

/** A command whose input, signals and end may not get through. */
function faultyExec(exec: unknown, faults: Faults): unknown {
  if (!isExec(exec)) return exec;
  return {
    ...exec,
    writeStdin: (...args) => faults.around("exec.writeStdin", false, () => exec.writeStdin(...args)),
    cancel: () => faults.around("exec.cancel", true, () => exec.cancel()),
    signal: (name) => faults.around("exec.signal", true, () => exec.signal(name)),
  } satisfies EngineExec;
}

function isExec(value: unknown): value is EngineExec {
  return typeof value === "object" && value !== null && "writeStdin" in value;
}

/** Every method of `target`, and what it will ever have. */
function synchronous<T extends object>(kind: string, target: T, faults: Faults): T {
  return wrapped(target, (name, call) => {
    faults.throwSometimes(`${kind}.${name}`);
    return call();
  });
}

function wrapped<T extends object>(target: T, around: (name: string, call: () => unknown) => unknown): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function" || typeof name !== "string") return value;
      return (...args: unknown[]) => around(name, () => Reflect.apply(value, target, args));
    },
  });
}
