import { BoxRunError } from "@boxrun/contract";
import type { Reach } from "../boxes/reach.ts";
import type { Engine, EngineExec, OutputOffsets } from "../ports/engine.ts";
import type { Logger } from "../ports/logger.ts";
import type { RetryTimes } from "../retry.ts";
import { SteadyExec } from "./steady-exec.ts";

interface Parts {
  readonly engine: Engine;
  readonly reach: Reach;
  readonly logger: Logger;
  readonly retryTimes: RetryTimes;
}

/**
 * Programs that have ended for their callers, because the server waited no longer, and of which their boxes have not said so. Each is told to end for as
 * long as its box and this server are there: a box that was only slow must not run for ever what everybody takes for ended.
 */
export class UnconfirmedEnds {
  readonly #parts: Parts;
  readonly #told = new Map<SteadyExec, Promise<void>>();
  #isReleased = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** `from`: what of its output was stored; what follows is nobody's. Whether the program is there, and ends, nobody waits for. */
  tell({ id, boxId }: { readonly id: string; readonly boxId: string }, from: OutputOffsets): void {
    if (this.#isReleased) return;
    const { engine, reach, retryTimes } = this.#parts;
    const resume = (offsets: OutputOffsets) => engine.resumeExec(boxId, id, offsets);
    const begin = async (): Promise<EngineExec> => {
      const found = await resume(from);
      if (found === undefined) throw new BoxRunError("EXEC_ALREADY_FINISHED", `Box ${boxId} does not have exec ${id}`);
      return found;
    };
    const exec = new SteadyExec({ id, boxId, from, begin, resume, reach, retryTimes });
    const ended = this.#end(exec, { exec_id: id, box_id: boxId }, from).finally(() => this.#told.delete(exec));
    this.#told.set(exec, ended);
  }

  /** What has not ended by now the next server tells. Resolves when this one tells nothing any more. */
  async release(): Promise<void> {
    this.#isReleased = true;
    for (const exec of this.#told.keys()) exec.letGo();
    await Promise.all(this.#told.values());
  }

  async #end(exec: SteadyExec, of: Readonly<Record<string, string>>, from: OutputOffsets): Promise<void> {
    const { logger } = this.#parts;
    // Why it could not be told shows where its output is read.
    exec.cancel().catch(() => undefined);
    try {
      let offsets = from;
      for await (const { stream, offset, data } of exec.output) {
        offsets = { ...offsets, [stream]: offset + data.length };
        exec.acknowledge(offsets);
      }
      await exec.exit;
      logger.info(of, "a command that its box had not confirmed to have ended is over");
      await exec.forget();
    } catch (error) {
      // Its box is gone, or has it no longer.
      if (!this.#isReleased) logger.info({ ...of, err: error }, "a command can't be told to end any more");
    }
  }
}
