import { setTimeout as delay } from "node:timers/promises";
import { BoxRunError } from "@boxrun/contract";
import type { Reach } from "../boxes/reach.ts";
import type { Engine, OutputOffsets } from "../ports/engine.ts";
import type { Logger } from "../ports/logger.ts";
import type { Store, UnconfirmedEnd } from "../ports/store.ts";
import { type RetryTimes, untilDone, waits } from "../retry.ts";
import { confirmedEnds } from "./exec-pump.ts";
import { SteadyExec } from "./steady-exec.ts";

interface Parts {
  readonly store: Store;
  readonly engine: Engine;
  readonly reach: Reach;
  readonly logger: Logger;
  readonly retryTimes: RetryTimes;
}

/** One that is told. */
interface Open {
  readonly boxId: string;
  /** Aborts when nobody need tell it any more, or this server must not. */
  readonly over: AbortController;
  readonly told: Promise<void>;
}

/** So many bytes of output are acknowledged at once: each time is a write to the store, and no program waits for less. */
const acknowledgeBytes = 128 * 1024;

/**
 * Programs that have ended for their callers, because the server waited no longer, and of which their boxes have not said so. Each is told to end until that is
 * confirmed, by the box's word or by the end of its VM, and by the next server where this one has not come to it: a box that was only slow must not run for
 * ever what everybody takes for ended.
 */
export class UnconfirmedEnds {
  readonly #parts: Parts;
  readonly #open = new Map<string, Open>();
  #isReleased = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Of an end that is in the store. Its output is nobody's. Whether the program is there, and ends, nobody waits for. */
  tell(end: UnconfirmedEnd): void {
    if (this.#isReleased) return;
    const over = new AbortController();
    const told = this.#untilConfirmed(end, over.signal).finally(() => this.#open.delete(end.execId));
    this.#open.set(end.execId, { boxId: end.boxId, over, told });
  }

  /** The box's VM is gone, and whatever ran in it. */
  boxEnded(boxId: string): void {
    for (const [execId, { boxId: itsBoxId, over }] of this.#open) {
      if (itsBoxId !== boxId) continue;
      this.#parts.store.unconfirmedEnds.confirm(execId, confirmedEnds);
      over.abort();
    }
  }

  /** What is not confirmed by now the next server tells. Resolves when this one tells nothing any more. */
  async release(): Promise<void> {
    this.#isReleased = true;
    const open = [...this.#open.values()];
    for (const { over } of open) over.abort();
    await Promise.all(open.map(({ told }) => told));
  }

  async #untilConfirmed(end: UnconfirmedEnd, over: AbortSignal): Promise<void> {
    const { store, engine, reach, logger, retryTimes } = this.#parts;
    const { execId: id, boxId } = end;
    const of = { exec_id: id, box_id: boxId };
    let from = end.acknowledged;
    const resume = async (offsets: OutputOffsets) => {
      const found = await engine.resumeExec(boxId, id, offsets);
      if (found === undefined) throw new BoxRunError("EXEC_ALREADY_FINISHED", `Box ${boxId} does not have exec ${id}`);
      return found;
    };
    for (const waitMs of waits(retryTimes)) {
      const exec = new SteadyExec({ id, boxId, from, begin: () => resume(from), resume, reach, retryTimes });
      const letGo = () => exec.letGo();
      over.addEventListener("abort", letGo, { once: true });
      try {
        await this.#end(exec, over);
        logger.info(of, "a command that its box had not confirmed to have ended is over");
        return store.unconfirmedEnds.confirm(id, confirmedEnds);
      } catch (error) {
        if (over.aborted) return;
        if (isItsWord(error) || !this.#mayRun(boxId)) return store.unconfirmedEnds.confirm(id, confirmedEnds);
        logger.info({ ...of, err: error }, "a command could not be told to end; it is told again");
        from = exec.stored;
      } finally {
        over.removeEventListener("abort", letGo);
      }
      await delay(waitMs, undefined, { signal: over, ref: false }).catch(() => undefined);
      if (over.aborted) return;
    }
  }

  /** Tells it, and reads on to its end: a program whose output nobody takes does not end. */
  async #end(exec: SteadyExec, over: AbortSignal): Promise<void> {
    const { store, logger, retryTimes: times } = this.#parts;
    // Why it could not be told shows where its output is read.
    exec.cancel().catch(() => undefined);
    const onFailure = (error: unknown) =>
      logger.error({ exec_id: exec.id, err: error }, "what was read of a command that is to end could not be stored");
    let offsets = exec.stored;
    let unstoredBytes = 0;
    for await (const { stream, offset, data } of exec.output) {
      offsets = { ...offsets, [stream]: offset + data.length };
      unstoredBytes += data.length;
      if (unstoredBytes < acknowledgeBytes) continue;
      unstoredBytes = 0;
      // Stored before it is told: the next server can't ask for what the box has forgotten.
      const write = () => store.unconfirmedEnds.acknowledge(exec.id, offsets);
      await untilDone(write, { times, signal: over, onFailure });
      exec.acknowledge(offsets);
    }
    await exec.exit;
    await exec.forget();
  }

  #mayRun(boxId: string): boolean {
    try {
      return this.#parts.store.boxes.get(boxId)?.status === "running";
    } catch {
      return true;
    }
  }
}

/** The box does not have it. */
function isItsWord(error: unknown): boolean {
  return error instanceof BoxRunError && error.code === "EXEC_ALREADY_FINISHED";
}
