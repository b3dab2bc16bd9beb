import type { Readable } from "node:stream";
import {
  BoxRunError,
  type Exec,
  type ExecRequest,
  execAllows,
  type PageQuery,
  type SignalName,
  type TerminalSize,
  toBoxRunError,
} from "@boxrun/contract";
import { findBox, requireAllowed } from "../boxes/box-lookup.ts";
import type { Reach } from "../boxes/reach.ts";
import { ExpectedEnds } from "../expected-ends.ts";
import { findByPrefix } from "../id-prefix.ts";
import { newExecId } from "../ids.ts";
import type { ImageManager } from "../images/image-manager.ts";
import type { CoreMetrics } from "../metrics.ts";
import { type Page, pageOf } from "../pages.ts";
import type { Clock } from "../ports/clock.ts";
import type { Engine, EngineExec, ExecSpec, OutputOffsets, StdinOptions } from "../ports/engine.ts";
import type { Logger } from "../ports/logger.ts";
import {
  type BoxRecord,
  type ExecRecord,
  noOutput,
  type OutputEvent,
  type OutputProgress,
  type PageRequest,
  type RequestKey,
  type Store,
} from "../ports/store.ts";
import { type RetryTimes, whileBusy } from "../retry.ts";
import type { ServerEvents } from "../server-events.ts";
import { execView } from "../views.ts";
import { Wakeups } from "../wakeups.ts";
import { within } from "../within.ts";
import { ActiveExec, Overdue } from "./active-exec.ts";
import { readEvents } from "./exec-events.ts";
import { type ExecEnd, failedEnd, pumpOutput } from "./exec-pump.ts";
import { Readers } from "./readers.ts";
import { isUnreachable, SteadyExec } from "./steady-exec.ts";
import { terminalEnvironment } from "./terminal-environment.ts";
import type { UnconfirmedEnds } from "./unconfirmed-ends.ts";
import { type Patience, untilStored } from "./until-stored.ts";

interface Parts {
  readonly store: Store;
  readonly engine: Engine;
  readonly events: ServerEvents;
  readonly reach: Reach;
  readonly images: Pick<ImageManager, "commandOf">;
  readonly unconfirmedEnds: UnconfirmedEnds;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: CoreMetrics;
  readonly outputLimitBytes: number;
  /** How long a program is slowed down to a reader that takes nothing. */
  readonly readerStallMs: number;
  readonly retryTimes: RetryTimes;
}

/** An exec that this server is busy with. */
interface Followed {
  readonly active: ActiveExec;
  /** The exec as it has ended; as it was if its end could not be stored, or if it was released. Never rejects. */
  readonly done: Promise<ExecRecord>;
  readonly readers: Readers;
}

/** What a connection may hold that breaks, and a program's wait for its reader to come back. */
const maxInFlightBytes = 4 * 1024 * 1024;
const returnMs = 15_000;
/** How long the answer to a start waits for the end of an exec that is over, which is all but stored. */
const endLimitMs = 1000;
const defaultTerminal: TerminalSize = { cols: 80, rows: 24 };

/** Starts commands, moves their output into the store, and lets any number of readers follow it. */
export class ExecManager {
  readonly #parts: Parts;
  readonly #active = new Map<string, Followed>();
  readonly #expectedEnds = new ExpectedEnds();
  readonly #wakeups = new Wakeups();
  readonly #released = new AbortController();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** `key`: of the request, kept with the exec. */
  async start(
    idOrName: string,
    request: ExecRequest,
    { key }: { readonly key?: RequestKey | undefined } = {},
  ): Promise<Exec> {
    const box = findBox(this.#parts.store, idOrName);
    requireAllowed(box, "exec");
    this.#requireStaying(box);
    const cmd = request.cmd ?? (await this.#parts.images.commandOf(box));
    await this.#parts.reach.answer(box);
    const tty = request.tty === true ? defaultTerminal : request.tty || null;
    const exec: ExecRecord = {
      id: newExecId(),
      boxId: box.id,
      status: "running",
      cmd,
      env: request.env ?? null,
      secretEnv: request.secret_env ?? [],
      workdir: request.workdir ?? null,
      user: request.user ?? null,
      tty: tty !== null,
      stdin: request.stdin ?? false,
      timeoutMs: request.timeout_ms ?? null,
      exitCode: null,
      errorMessage: null,
      createdAtMs: this.#parts.clock.now(),
      finishedAtMs: null,
    };
    await whileBusy(() => this.#parts.store.execs.insert(exec, key), this.#parts.retryTimes);
    this.#parts.events.exec(execView(exec));
    const spec = execSpec(exec, box, tty);
    const { active, done } = this.#follow(exec, () => this.#parts.engine.exec(box.id, spec), noOutput);
    const isOver = await active.exec.started.catch((error: unknown) => {
      throw toBoxRunError(error, "RUNTIME_ERROR");
    });
    return execView(isOver ? ((await within(endLimitMs, done)) ?? exec) : exec);
  }

  list(idOrName: string, query: PageQuery = {}): Page<Exec> {
    const box = findBox(this.#parts.store, idOrName);
    const { execs } = this.#parts.store;
    const from = { list: (page: PageRequest) => execs.listByBox(box.id, page), cursor: execs.cursor };
    return pageOf(query, from, execView);
  }

  get(idOrName: string, execId: string): Exec {
    return execView(this.#find(idOrName, execId));
  }

  /** Resolves with the finished exec once its process group is really gone, or its box has not said so in time. */
  async cancel(idOrName: string, execId: string): Promise<Exec> {
    const { active, done } = this.#running(idOrName, execId);
    active.endsCanceled();
    const told = active.exec.cancel().catch((error: unknown) => {
      if (!isUnreachable(error) && !(error instanceof Overdue)) throw error;
    });
    await Promise.race([told, done]);
    return execView(await done);
  }

  async signal(idOrName: string, execId: string, name: SignalName): Promise<void> {
    const { active } = this.#running(idOrName, execId);
    await this.#parts.reach.inTime(active.boxId, `send ${name} to exec ${execId}`, active.exec.signal(name));
  }

  async resize(idOrName: string, execId: string, size: TerminalSize): Promise<void> {
    const { exec, active } = this.#running(idOrName, execId);
    if (!exec.tty) throw new BoxRunError("VALIDATION_ERROR", `Exec ${exec.id} has no terminal (tty) to resize`);
    await this.#parts.reach.inTime(active.boxId, `resize the terminal of exec ${execId}`, active.exec.resize(size));
  }

  async writeStdin(idOrName: string, execId: string, content: Readable, options: StdinOptions): Promise<void> {
    const { exec, active } = this.#running(idOrName, execId);
    if (!exec.stdin) {
      throw new BoxRunError("VALIDATION_ERROR", `Exec ${exec.id} was started without stdin: true; its input is empty`);
    }
    await active.exec.writeStdin(content, options);
  }

  /** The events of an exec that there is, as `readEvents` has them. Who follows is waited for as `Readers` says. */
  events(
    id: string,
    options: { readonly after: number; readonly follow?: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<readonly OutputEvent[]> {
    const { store } = this.#parts;
    const follow = options.follow ?? true;
    const readers = follow ? this.#active.get(id)?.readers : undefined;
    const isActive = () => this.#active.has(id);
    return readEvents({ ...options, id, follow, readers, isActive, store, wakeups: this.#wakeups });
  }

  /** Resolves with the exec once it has ended. */
  async wait(idOrName: string, execId: string): Promise<Exec> {
    const exec = this.#find(idOrName, execId);
    await this.#active.get(exec.id)?.done;
    return this.get(idOrName, execId);
  }

  /**
   * Ends a box's execs by what `endBox` does to the box, and resolves once their ends are stored; a store that can't write holds nobody
   * up for ever, and gets them later. Meanwhile new ones are refused, and those that the engine loses end with `message`.
   */
  async endAll(boxId: string, message: string, endBox: () => Promise<void>): Promise<void> {
    await this.#expectedEnds.during(boxId, message, async () => {
      const ours = () => [...this.#active.values()].filter(({ active }) => active.boxId === boxId);
      // Their programs end, whether somebody still reads or not.
      for (const { readers } of ours()) readers.wake();
      await endBox();
      const theirs = ours();
      for (const { active } of theirs) active.endsWithBox(message);
      await within(this.#parts.retryTimes.limitMs, Promise.all(theirs.map(({ done }) => done)));
    });
  }

  /** Lets everybody who reads look again: a box was removed, and there is nothing more to come of its execs. */
  wakeReaders(): void {
    this.#wakeups.wakeAll();
  }

  /** Picks up the execs that the last server left running. Called once, after the boxes were recovered. */
  async recover(left: readonly ExecRecord[]): Promise<void> {
    await Promise.all(left.map((exec) => this.#resume(exec)));
  }

  /** Lets go of every exec; they run on in their boxes. Resolves when nothing writes to the store any more. */
  async release(): Promise<void> {
    this.#released.abort();
    await this.#parts.engine.close();
    await Promise.all([...this.#active.values()].map(({ done }) => done));
  }

  async #resume(exec: ExecRecord): Promise<void> {
    const { store, engine } = this.#parts;
    const box = store.boxes.get(exec.boxId);
    if (box?.status !== "running") {
      await this.#finish(exec, failedEnd(box?.errorMessage ?? "The box's VM ended while no server was running"));
      return;
    }
    const progress = store.output.progress(exec.id);
    const begin = async () => {
      const found = await engine.resumeExec(exec.boxId, exec.id, progress.offsets);
      if (found !== undefined) return found;
      const why = "The server was restarted, and the box no longer has this command: its end is not known";
      throw new BoxRunError("RUNTIME_ERROR", why);
    };
    const { active, done } = this.#follow(exec, begin, progress);
    await active.exec.started.catch(() => done);
  }

  #follow(exec: ExecRecord, begin: () => Promise<EngineExec>, progress: OutputProgress): Followed {
    const { engine, reach, clock, outputLimitBytes, retryTimes, readerStallMs: stallMs } = this.#parts;
    const { id, boxId } = exec;
    const resume = (from: OutputOffsets) => engine.resumeExec(boxId, id, from);
    const steady = new SteadyExec({ id, boxId, from: progress.offsets, begin, resume, reach, retryTimes });
    const active = new ActiveExec(exec, steady, clock);
    const inFlightBytes = Math.min(maxInFlightBytes, outputLimitBytes / 8);
    const readers = new Readers({ stallMs, returnMs, inFlightBytes }, progress.awaitedSeq);
    const done = this.#run(exec, active, { progress, readers }).finally(() => {
      active[Symbol.dispose]();
      this.#active.delete(id);
      // Also those that find no end in the store, because it could not be stored.
      this.#wakeups.wake(id);
    });
    const followed = { active, done, readers };
    this.#active.set(id, followed);
    return followed;
  }

  async #run(
    exec: ExecRecord,
    active: ActiveExec,
    output: { readonly progress: OutputProgress; readonly readers: Readers },
  ): Promise<ExecRecord> {
    const { store, logger, metrics, outputLimitBytes } = this.#parts;
    const patience = this.#patience(exec);
    try {
      const end = await pumpOutput({
        ...patience,
        exec: active.exec,
        store,
        ...output,
        clock: this.#parts.clock,
        outputLimitBytes,
        mayWaitForReaders: () => this.#expectedEnds.get(exec.boxId) === undefined,
        onHeldUp: (isHeldUp) => active.isHeldUp(isHeldUp),
        onStored: (bytes) => {
          metrics.outputBytes(bytes);
          this.#wakeups.wake(exec.id);
        },
      });
      if (end === undefined) return exec;
      const ended = await this.#finish(exec, end);
      // Nobody waits for this: the exec is over for its callers.
      if (ended !== exec) void active.exec.forget();
      return ended;
    } catch (error) {
      if (patience.released.aborted) return exec;
      metrics.engineError("exec");
      const reason = this.#expectedEnds.get(exec.boxId) ?? toBoxRunError(error).message;
      logger.warn({ exec_id: exec.id, box_id: exec.boxId, err: error }, "exec failed");
      if (!(error instanceof Overdue)) return await this.#finish(exec, failedEnd(reason));
      const ended = await this.#finish(exec, error.end);
      if (ended !== exec) void this.#tellOn(active);
      return ended;
    }
  }

  /** Nobody waits for this: the exec is over for its callers. */
  async #tellOn({ boxId, exec }: ActiveExec): Promise<void> {
    await exec.settled();
    this.#parts.unconfirmedEnds.tell({ execId: exec.id, boxId, acknowledged: exec.stored });
  }

  /** The exec as it has ended, or the same one if that can't be stored. */
  async #finish(exec: ExecRecord, end: ExecEnd): Promise<ExecRecord> {
    const { status, exitCode, errorMessage, last } = end;
    const finishedAtMs = this.#parts.clock.now();
    const finish = { ...end, finishedAtMs, exitData: JSON.stringify(end.exitData) };
    let ended = exec;
    try {
      await untilStored(() => this.#parts.store.output.finish(exec.id, finish), this.#patience(exec));
      ended = { ...exec, status, exitCode, errorMessage, finishedAtMs };
      if (last !== null) this.#parts.metrics.outputBytes(last.bytes);
    } catch (error) {
      // The next server finds it running and looks for it in its box.
      this.#parts.logger.error({ exec_id: exec.id, err: error }, "the end of an exec could not be stored");
    }
    this.#parts.metrics.execSeconds((finishedAtMs - exec.createdAtMs) / 1000, status);
    if (ended !== exec) this.#parts.events.exec(execView(ended));
    this.#wakeups.wake(exec.id);
    return ended;
  }

  #patience(exec: ExecRecord): Patience {
    return {
      execId: exec.id,
      logger: this.#parts.logger,
      released: this.#released.signal,
      times: this.#parts.retryTimes,
    };
  }

  #requireStaying(box: BoxRecord): void {
    const ending = this.#expectedEnds.get(box.id);
    if (ending !== undefined)
      throw new BoxRunError("BOX_NOT_RUNNING", `Cannot use box ${box.name ?? box.id}: ${ending}`);
  }

  /** By id, or by the beginning of one of this box's. EXEC_NOT_FOUND, also for an exec of another box; VALIDATION_ERROR where several begin so. */
  #find(idOrName: string, execId: string): ExecRecord {
    const box = findBox(this.#parts.store, idOrName);
    const { execs } = this.#parts.store;
    const exec = execs.get(execId) ?? findByPrefix("exec", execId, (prefix) => execs.startingWith(box.id, prefix));
    if (exec === undefined || exec.boxId !== box.id) {
      throw new BoxRunError("EXEC_NOT_FOUND", `Box ${box.name ?? box.id} has no exec ${JSON.stringify(execId)}`);
    }
    return exec;
  }

  #running(idOrName: string, execId: string): Followed & { readonly exec: ExecRecord } {
    const exec = this.#find(idOrName, execId);
    const followed = this.#active.get(exec.id);
    const verdict = execAllows(exec.status);
    if (verdict !== true || followed === undefined) {
      const code = verdict === true ? "EXEC_ALREADY_FINISHED" : verdict;
      throw new BoxRunError(code, `Exec ${exec.id} has ended already: ${exec.status}`);
    }
    return { exec, ...followed };
  }
}

function execSpec(exec: ExecRecord, box: BoxRecord, tty: TerminalSize | null): ExecSpec {
  const env = { ...box.imageConfig?.env, ...box.env, ...exec.env };
  return {
    id: exec.id,
    cmd: exec.cmd,
    env: tty === null ? env : terminalEnvironment(env),
    workdir: exec.workdir ?? box.workdir,
    user: exec.user ?? box.imageConfig?.user ?? null,
    stdin: exec.stdin,
    tty,
    timeoutMs: exec.timeoutMs,
  };
}
