import { BoxRunError, type StoppedBox, toBoxRunError } from "@boxrun/contract";
import type { Engines } from "../engines.ts";
import type { ExecManager } from "../execs/exec-manager.ts";
import { isUnreachable } from "../execs/steady-exec.ts";
import type { UnconfirmedEnds } from "../execs/unconfirmed-ends.ts";
import type { ImageManager } from "../images/image-manager.ts";
import type { CoreMetrics } from "../metrics.ts";
import { type BoxDeath, defaultStopGraceMs, nothingStopped, type StopReport } from "../ports/engine.ts";
import type { Logger } from "../ports/logger.ts";
import type { BoxRecord, Store } from "../ports/store.ts";
import { type RetryTimes, untilDone } from "../retry.ts";
import type { SessionManager } from "../sessions/session-manager.ts";
import { boxView } from "../views.ts";
import { adoptBox } from "./adopt.ts";
import type { BoxChanges } from "./box-changes.ts";
import type { BoxTurns } from "./box-turns.ts";
import { engineCall } from "./engine-call.ts";
import type { Lifetimes } from "./lifetimes.ts";
import type { Reach } from "./reach.ts";

interface Parts {
  readonly store: Store;
  readonly engine: Engines;
  readonly images: ImageManager;
  readonly execs: ExecManager;
  readonly sessions: SessionManager;
  readonly unconfirmedEnds: UnconfirmedEnds;
  readonly reach: Reach;
  readonly logger: Logger;
  readonly metrics: CoreMetrics;
  readonly retryTimes: RetryTimes;
  readonly changes: BoxChanges;
  readonly lifetimes: Lifetimes;
  readonly turns: BoxTurns;
  /** The server lets go of its boxes. */
  readonly released: AbortSignal;
}

interface EndOptions {
  readonly force: boolean;
  /** Of a stop; by default the usual one. */
  readonly graceMs?: number;
}

/** More than an engine takes to end a VM by force, once its programs have had their time. */
const stopLimitMs = 60_000;

/** How boxes end, by a stop, a removal, or a death that nobody asked for, and what runs in them with them. Whoever stops or removes a box has its turn. */
export class BoxEnds {
  readonly #parts: Parts;
  /** How often a box was started: what tells the death of a VM from that of the one before. */
  readonly #lives = new Map<string, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** What ends from now on is not what ran before. */
  beginsAnew(boxId: string): void {
    this.#lives.set(boxId, (this.#lives.get(boxId) ?? 0) + 1);
  }

  /** What runs in it gets `graceMs` between SIGTERM and SIGKILL. */
  async stop(box: BoxRecord, graceMs: number): Promise<StoppedBox> {
    const { changes } = this.#parts;
    let report = nothingStopped;
    await this.endAll(box.id, "The box was stopped", async () => {
      report = await this.engineEnds("stop", box, { force: true, graceMs });
    });
    const stopped = changes.stopped(box);
    await changes.stored(box, "is stopped");
    return { ...boxView(stopped), killed: [...report.killed], forced: report.forced };
  }

  async remove(box: BoxRecord, options: { readonly force: boolean }): Promise<void> {
    const { changes, lifetimes, execs } = this.#parts;
    await this.endAll(box.id, "The box was removed", async () => {
      await this.engineEnds("remove", box, options);
    });
    changes.removed(box);
    lifetimes.forget(box.id);
    this.#lives.delete(box.id);
    execs.wakeReaders();
    await changes.stored(box, "is gone");
  }

  /** The engine noticed that a VM is gone which nobody asked to go. Never throws: the death is kept until it can be written down. */
  died({ boxId, reason }: BoxDeath): void {
    const { logger, turns, released } = this.#parts;
    logger.warn({ box_id: boxId, reason }, "box died");
    const message = `The box died: ${reason}`;
    const life = this.#lives.get(boxId);
    // What is under way for the box comes first: it may know of its VM what the store does not yet.
    const write = () => turns.run(boxId, () => this.#writeDeath(boxId, life, message));
    this.endAll(boxId, message, write).catch((error: unknown) => {
      if (!released.aborted) logger.error({ box_id: boxId, err: error }, "a death was not written down");
    });
  }

  /** Lets the engine end a box. If that fails half-way, the box is shown as what is left of it. */
  async engineEnds(how: "stop" | "remove", box: BoxRecord, options: EndOptions = { force: true }): Promise<StopReport> {
    const { engine, reach, metrics, changes, released } = this.#parts;
    let report = nothingStopped;
    try {
      await engineCall(metrics, how, async () => {
        if (how === "stop") report = await this.#stopInTime(box, options.graceMs ?? defaultStopGraceMs);
        else await engine.destroy(box, options);
      });
      return report;
    } catch (error) {
      // Not asked now: the engine is still at it.
      if (isUnreachable(error)) reach.lost(box.id, error.message);
      else if (box.status === "running" && box.imageDigest !== null) {
        const left = await adoptBox(box, this.#parts, released);
        if (left.state === "unreachable") reach.lost(box.id, left.why);
        else if (left.state !== "running") {
          const failure = toBoxRunError(error, "RUNTIME_ERROR");
          changes.failed(box, failure);
          reach.over(box.id, failure);
        }
      }
      throw error;
    }
  }

  /** Ends what runs in a box by what `endBox` does to it. */
  endAll(boxId: string, message: string, endBox: () => Promise<void>): Promise<void> {
    const { execs, sessions, unconfirmedEnds, reach } = this.#parts;
    const end = async () => {
      await endBox();
      unconfirmedEnds.boxEnded(boxId);
      reach.over(boxId, new BoxRunError("RUNTIME_ERROR", message));
    };
    return execs.endAll(boxId, message, () => sessions.endAll(boxId, message, end));
  }

  /** An engine that does not come to an end holds nobody up: whether the VM is gone is found out as of any box that does not answer. */
  async #stopInTime({ id, name }: BoxRecord, graceMs: number): Promise<StopReport> {
    const { engine, reach } = this.#parts;
    const ending = engine.stop(id, { graceMs });
    try {
      return await reach.inTime(id, `stop box ${name ?? id}`, ending, graceMs + stopLimitMs);
    } catch (error) {
      // A box that has answered in between ends by it all the same, and nothing else would tell.
      const lookAgain = () => reach.lost(id, "a stop that took too long has come to its end");
      if (isUnreachable(error)) ending.then(lookAgain, lookAgain);
      throw error;
    }
  }

  async #writeDeath(boxId: string, life: number | undefined, message: string): Promise<void> {
    const { store, logger, retryTimes: times, released: signal, changes } = this.#parts;
    const box = await untilDone(() => store.boxes.get(boxId), {
      times,
      signal,
      onFailure: (error) => logger.error({ box_id: boxId, err: error }, "a box that died could not be read"),
    });
    if (box?.status !== "running" || this.#lives.get(boxId) !== life) return;
    changes.failed(box, new BoxRunError("RUNTIME_ERROR", message));
  }
}
